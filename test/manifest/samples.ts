/** Facts, disks and layers for the tests of planning. */

import { planManifest } from '../../manifest/plan.ts';
import type { LayerText, Mirror, PlanOutcome, PlanRequest } from '../../manifest/plan-types.ts';
import type { DiskFacts, Facts } from '../../manifest/schema/facts.ts';

export const GIB = 2 ** 30;

/** Reserved names (RFC 2606): nothing is fetched in these tests. */
export const MIRROR: Mirror = {
  archive: 'http://mirror.example/debian',
  security: 'http://mirror.example/debian-security',
};

/** An empty SATA disk of 100 GiB. */
export function disk(changes: Partial<DiskFacts> = {}): DiskFacts {
  return {
    id: 'wwn:0x5000c500a1b2c3d4',
    sizeBytes: 100 * GIB,
    logicalSectorBytes: 512,
    physicalSectorBytes: 4096,
    transport: 'sata',
    rotational: false,
    removable: false,
    readOnly: false,
    installMedium: false,
    contents: [],
    holders: [],
    ...changes,
  };
}

/** A UEFI machine with one empty disk and one network card. */
export function facts(changes: Partial<Facts> = {}): Facts {
  return {
    apiVersion: 'iguana/v1',
    kind: 'Facts',
    machine: { id: '4c4c4544-0042-3510-8052-b4c04f4a4e32', serial: 'B5R4JN2', product: 'PowerEdge R640' },
    firmware: { type: 'uefi', basis: 'detected' },
    architecture: 'amd64',
    cpu: { model: 'CPU', cores: 4, threads: 8 },
    memoryBytes: 16 * GIB,
    disks: [disk()],
    network: [{ name: 'eno1', mac: '52:54:00:ab:cd:ef', wireless: false }],
    tpm: { present: false },
    ...changes,
  };
}

/** A layer of a profile without its head. */
export function layer(body: string, name = 'site.yaml'): LayerText {
  return { name, text: `apiVersion: iguana/v1\nkind: Profile\n${body}` };
}

/** Plans for {@link facts}. */
export function plan(bodies: readonly string[], changes: Partial<PlanRequest> = {}): PlanOutcome {
  return planManifest({
    layers: bodies.map((body, index) => layer(body, `layer${index + 1}.yaml`)),
    facts: facts(),
    target: { kind: 'machine' },
    mirror: MIRROR,
    ...changes,
  });
}

/** @returns the plan, or fails the test with what was in the way */
export function planned(bodies: readonly string[], changes: Partial<PlanRequest> = {}) {
  const outcome = plan(bodies, changes);
  if (!outcome.ok)
    throw new Error(outcome.diagnostics.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return outcome;
}

/** @returns `path: message` of everything in the way, and the kinds */
export function refused(bodies: readonly string[], changes: Partial<PlanRequest> = {}) {
  const outcome = plan(bodies, changes);
  if (outcome.ok) throw new Error('planned, where it had to be refused');
  return {
    ...outcome,
    kinds: [...new Set(outcome.diagnostics.map((diagnostic) => diagnostic.kind))],
    lines: outcome.diagnostics.map(({ path, message }) => `${path}: ${message}`),
  };
}
