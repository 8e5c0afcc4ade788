/** Planning on this machine, without a server: what profiles come to on given facts. */
import { readFile, stat } from 'node:fs/promises';
import { hostAptMirror } from '../../host/apt-mirror.ts';
import { planManifest } from '../../manifest/plan.ts';
import type { Planned } from '../../manifest/plan-types.ts';
import { type Facts, factsSchema } from '../../manifest/schema/facts.ts';
import { usageError } from '../errors.ts';
import { mistakesError, readLayers } from './layers.ts';
import { type FileTarget, newImage } from './target.ts';

/** Which machine to plan for. */
export interface LocalPlanOptions {
  /** File with the facts of a machine. */
  readonly facts?: string;
  /** Path and size of the disk image without facts. */
  readonly disk?: string;
  readonly size?: string;
  readonly firmware: 'uefi' | 'bios';
}

/** Sectors of a disk image; what QEMU and loop devices give it. */
const SECTOR_BYTES = 512;
const MEMORY_BYTES = 2 ** 30;

/**
 * Makes the manifest.
 * @throws CommandError (usage) with everything that is in its way
 */
export async function planLocally(profiles: readonly string[], options: LocalPlanOptions): Promise<Planned> {
  const layers = await readLayers(profiles);
  const mirror = await hostAptMirror();
  const where = options.facts === undefined ? await newImageOf(options) : await probed(options.facts);
  const outcome = planManifest({
    layers,
    ...where,
    ...(mirror && { mirror }),
  });
  if (outcome.ok) return outcome;
  throw mistakesError(outcome.diagnostics, outcome.candidates);
}

async function probed(file: string): Promise<{ facts: Facts; target: { kind: 'machine' } }> {
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw usageError(`reading the facts ${file}`, { cause });
  }
  const checked = factsSchema.safeParse(document);
  if (!checked.success) {
    const lines = checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw usageError(`${file} holds no facts\n${lines.join('\n')}`, {
      remedy: '`iguana manifest show MACHINE --facts` prints those of a probed machine.',
      details: checked.error.issues,
    });
  }
  return { facts: checked.data, target: { kind: 'machine' } };
}

async function newImageOf({ disk = 'disk.img', size, firmware }: LocalPlanOptions): Promise<{
  facts: Facts;
  target: FileTarget;
}> {
  const { target, machineId } = await newImage(disk, size);
  const isThere = await stat(target.path).then(
    () => true,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
  );
  if (isThere) {
    throw usageError(`${disk} exists: what is on it is found out by the probe of an install`, {
      remedy: 'Plan for a new file, or give the facts of a machine with --facts.',
    });
  }
  return { target, facts: imageFacts(target, machineId, firmware) };
}

/** A machine with one empty disk image, as the probe describes it. */
function imageFacts(target: FileTarget, machineId: string, firmware: 'uefi' | 'bios'): Facts {
  return {
    apiVersion: 'iguana/v1',
    kind: 'Facts',
    machine: { id: machineId },
    firmware: { type: firmware, basis: 'assumed' },
    architecture: process.arch === 'x64' ? 'amd64' : process.arch === 'arm64' ? 'arm64' : 'other',
    cpu: { model: 'unknown', cores: 1, threads: 1 },
    memoryBytes: MEMORY_BYTES,
    disks: [
      {
        id: `file:${target.path}`,
        sizeBytes: target.sizeBytes,
        logicalSectorBytes: SECTOR_BYTES,
        physicalSectorBytes: SECTOR_BYTES,
        transport: 'file',
        rotational: false,
        removable: false,
        readOnly: false,
        installMedium: false,
        contents: [],
        holders: [],
      },
    ],
    network: [],
    tpm: { present: false },
  };
}
