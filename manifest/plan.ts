/** Planning: profile layers and facts become a manifest, or everything that is in the way. Pure; nothing is touched. */

import { checkHandoff, checkHandoffTarget } from './check-handoff.ts';
import { checkContents, checkImage, checkVoid } from './check-image.ts';
import { checkLinks, checkNetwork, checkUsers } from './check-machine.ts';
import { checkProfile } from './check-profile.ts';
import { checkCapacity, checkStorage } from './check-storage.ts';
import { type Choices, composeManifest, mirrorOf, phaseKeys } from './compose.ts';
import { DEFAULTS } from './defaults.ts';
import { DIAGNOSTIC_KINDS, type Diagnostic, diagnose, sortDiagnostics } from './diagnostics.ts';
import { digestOf, digestOfText } from './digest.ts';
import { makeHostname } from './hostname.ts';
import { mergeLayers } from './layers.ts';
import { layOut } from './layout.ts';
import { collect, type Merged } from './plan-context.ts';
import type { Candidate, LayerText, NotPlanned, PlanOutcome, PlanRequest } from './plan-types.ts';
import { completeProfileSchema } from './schema/profile.ts';
import { contentsOf, type DiskSelection, selectDisk } from './select-disk.ts';
import { validate } from './validate.ts';

/**
 * Judges layers without a machine: each on its own, and what they are together with the defaults.
 * @returns every error; none where only facts can tell whether the profile works
 */
export function checkLayers(layers: readonly LayerText[]): readonly Diagnostic[] {
  const merged = mergeTexts(layers);
  return 'diagnostics' in merged ? merged.diagnostics : sortDiagnostics(checkMerged(merged));
}

/**
 * Plans one install.
 * @returns the manifest with what will be destroyed, or every error at once with the place of the layer it comes from
 */
export function planManifest(request: PlanRequest): PlanOutcome {
  const merged = mergeTexts(request.layers);
  if ('diagnostics' in merged) return refuse(merged.diagnostics);
  const { profile } = merged;
  const { disk: choice, existingData, partitions } = profile.storage;

  const selection = selectDisk(request.facts.disks, choice, existingData, request.target);
  const hostname = makeHostname(profile.machine.hostname, request.facts);
  const diagnostics = [
    ...checkMerged(merged),
    ...checkMachineFits(merged, request),
    ...hostname.problems.map(({ message, ...more }) =>
      diagnose(merged.root, ['machine', 'hostname'], 'ProfileInvalid', message, more),
    ),
    ...diskDiagnostics(merged, selection),
  ];
  const { disk } = selection;
  const extents = disk && layOut(partitions, disk.sizeBytes).extents;
  if (diagnostics.length > 0 || !extents || hostname.name === undefined) {
    return refuse(diagnostics, disk ? undefined : selection.candidates);
  }
  const choices: Choices = {
    hostname: hostname.name,
    disk,
    extents,
    mirror: request.mirror,
    inputs: inputsOf(request),
  };
  const manifest = composeManifest(profile, choices);
  return {
    ok: true,
    manifest,
    manifestDigest: digestOf(manifest),
    destroyed: contentsOf(disk).map((what) => ({ diskId: disk.id, what })),
    keys: phaseKeys(manifest),
  };
}

/** Layers with the defaults before them; all errors of all layers where one is wrong. */
function mergeTexts(layers: readonly LayerText[]): Merged | { diagnostics: readonly Diagnostic[] } {
  const checked = [DEFAULTS, ...layers].map(({ name, text }) => checkProfile(text, name));
  const diagnostics = checked.flatMap((layer) => layer.diagnostics);
  if (diagnostics.length > 0) return { diagnostics };
  const root = mergeLayers(checked.flatMap((layer) => layer.root ?? []));
  const judged = validate(completeProfileSchema, root);
  return judged.value
    ? { root, profile: judged.value }
    : { diagnostics: sortDiagnostics(judged.diagnostics) };
}

function checkMerged(merged: Merged): Diagnostic[] {
  return [
    ...collect(merged, 'ProfileInvalid', checkImage),
    ...checkVoid(merged),
    ...collect(merged, 'ProfileInvalid', checkContents),
    ...collect(merged, 'ProfileInvalid', checkUsers),
    ...collect(merged, 'ProfileInvalid', checkNetwork),
    ...collect(merged, 'ProfileInvalid', checkHandoff),
    ...collect(merged, 'StorageImpossible', checkStorage),
  ];
}

/** What depends on the machine, but for its disks and its name. */
function checkMachineFits(merged: Merged, { facts, target, mirror }: PlanRequest): Diagnostic[] {
  const { root, profile } = merged;
  const { architecture } = profile.image;
  const runsHere = target.kind === 'machine';
  return [
    ...(facts.firmware.type === 'bios'
      ? [
          diagnose(
            root,
            [],
            'FirmwareUnsupported',
            'the machine was started by legacy BIOS, and Iguana needs UEFI',
            {
              found: `firmware bios (${facts.firmware.basis})`,
              allowed: 'uefi',
            },
          ),
        ]
      : []),
    ...(runsHere && facts.architecture !== architecture
      ? [
          diagnose(
            root,
            ['image', 'architecture'],
            'ArchitectureMismatch',
            'the machine has another architecture',
            {
              found: architecture,
              allowed: facts.architecture,
            },
          ),
        ]
      : []),
    ...(runsHere
      ? collect(merged, 'ProfileInvalid', (it, complain) => checkLinks(it, facts.network, complain))
      : []),
    ...collect(merged, 'ProfileInvalid', (it, complain) => checkHandoffTarget(it, target, complain)),
    ...collect(merged, 'ProfileInvalid', ({ image }, complain) => {
      if (image.from) return;
      image.repositories.forEach(({ uri, suites }, index) => {
        if (uri === undefined && mirrorOf(suites, mirror) === undefined) {
          complain(
            ['image', 'repositories', index],
            'it has no uri, and the host itself uses no mirror of the distribution',
            {
              found: 'no uri',
            },
          );
        }
      });
    }),
  ];
}

/** No disk, or one that is too small. */
function diskDiagnostics(merged: Merged, selection: DiskSelection): Diagnostic[] {
  if (selection.disk) {
    const { disk } = selection;
    return collect(merged, 'StorageImpossible', (profile, complain) =>
      checkCapacity(profile, disk, complain),
    );
  }
  const { problem, message, candidates } = selection;
  const found = candidates
    .map(({ id, rejected }) => `${id}: ${rejected.length > 0 ? rejected.join(', ') : 'could be taken'}`)
    .join('; ');
  return [diagnose(merged.root, ['storage', 'disk'], problem, message, { found: found || 'no disk' })];
}

function refuse(diagnostics: readonly Diagnostic[], candidates?: readonly Candidate[]): NotPlanned {
  const kinds = new Set(diagnostics.map(({ kind }) => kind));
  return {
    ok: false,
    kind: DIAGNOSTIC_KINDS.find((kind) => kinds.has(kind)) ?? 'ProfileInvalid',
    diagnostics: sortDiagnostics(diagnostics),
    ...(candidates && { candidates }),
  };
}

function inputsOf({ layers, facts }: PlanRequest): Choices['inputs'] {
  return [
    ...[DEFAULTS, ...layers].map(({ name, text }) => ({
      kind: 'layer' as const,
      name,
      digest: digestOfText(text),
    })),
    { kind: 'facts' as const, name: facts.machine.id, digest: digestOf(facts) },
  ];
}
