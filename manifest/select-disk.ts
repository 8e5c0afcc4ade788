/**
 * Chooses the disk to install onto. Pure.
 *
 * A disk is taken only where exactly one is meant: conditions that match several disks are an error and never a
 * guess. A disk that is meant and cannot be taken is an error with its reason; another one is not taken instead.
 */

import type { DiagnosticKind } from './diagnostics.ts';
import { matchFailures } from './disk-match.ts';
import type { Candidate, PlanTarget } from './plan-types.ts';
import type { DiskFacts } from './schema/facts.ts';
import type { CompleteProfile } from './schema/profile.ts';

type DiskChoice = CompleteProfile['storage']['disk'];

/** The kinds of errors about disks. */
export type DiskProblem = Extract<
  DiagnosticKind,
  | 'NoDisk'
  | 'DiskAmbiguous'
  | 'DiskIsInstallMedium'
  | 'DiskInUse'
  | 'DiskHasData'
  | 'DiskReadOnly'
  | 'DiskUnidentified'
>;

/** The chosen disk, or why none was chosen. */
export type DiskSelection =
  | { readonly disk: DiskFacts; readonly candidates: readonly Candidate[] }
  | {
      readonly disk?: never;
      readonly problem: DiskProblem;
      readonly message: string;
      readonly candidates: readonly Candidate[];
    };

interface Looked {
  readonly disk: DiskFacts;
  /** Why the profile or the target does not mean this disk. */
  readonly mismatches: readonly string[];
  /** Why it cannot be taken, most basic first. */
  readonly obstacles: readonly { readonly problem: DiskProblem; readonly reason: string }[];
}

/**
 * Chooses the disk.
 * @param target under `device` only that disk counts, and the profile's conditions must hold for it too. Under `file`
 *   only that file counts, and of the conditions only `size`: a file has no serial number or transport to ask for
 */
export function selectDisk(
  disks: readonly DiskFacts[],
  choice: DiskChoice,
  existingData: 'refuse' | 'erase',
  target: PlanTarget,
): DiskSelection {
  const looked = disks.map(
    (disk): Looked => ({
      disk,
      mismatches: mismatchesOf(disk, choice, target),
      obstacles: obstaclesOf(disk, existingData),
    }),
  );
  const candidates = looked.map(describe);
  const fail = (problem: DiskProblem, message: string): DiskSelection => ({ problem, message, candidates });

  const meant = looked.filter(({ mismatches }) => mismatches.length === 0);
  if (meant.length === 0) return fail('NoDisk', noneMatches(disks.length, target));
  // These can never be what is meant, so that they do not make a choice ambiguous either.
  const writable = meant.filter(
    ({ obstacles }) => !obstacles.some(({ problem }) => NEVER_MEANT.has(problem)),
  );
  const considered = writable.length > 0 ? writable : meant;
  const [first, ...others] = order(considered, choice.order).slice(0, choice.limit);
  if (!first) return fail('NoDisk', noneMatches(disks.length, target));
  if (others.length > 0) {
    const ids = [first, ...others].map(({ disk }) => disk.id).join(', ');
    const [shared] = first.obstacles;
    // Where none could be taken anyway, making the conditions narrower would not help.
    return shared && writable.length === 0
      ? fail(shared.problem, `of the disks that match none can be taken: ${ids}`)
      : fail('DiskAmbiguous', `one disk is meant, but ${others.length + 1} match: ${ids}`);
  }
  const [obstacle] = first.obstacles;
  return obstacle
    ? fail(obstacle.problem, `disk ${first.disk.id} ${obstacle.reason}`)
    : { disk: first.disk, candidates };
}

const NEVER_MEANT: ReadonlySet<DiskProblem> = new Set(['DiskIsInstallMedium', 'DiskReadOnly', 'NoDisk']);

function noneMatches(count: number, target: PlanTarget): string {
  if (target.kind === 'device')
    return `disk ${target.id} is not among the ${count} disk(s), or does not match`;
  if (target.kind === 'file') return `the disk image ${target.path} does not match`;
  return count === 0 ? 'the machine has no disk' : `none of the ${count} disk(s) matches storage.disk.match`;
}

function mismatchesOf(disk: DiskFacts, choice: DiskChoice, target: PlanTarget): string[] {
  if (target.kind === 'machine') return matchFailures(disk, choice.match);
  const wanted = target.kind === 'device' ? target.id : `file:${target.path}`;
  if (disk.id !== wanted) return [`is not the disk that was asked for, ${wanted}`];
  const { size } = choice.match;
  return matchFailures(disk, target.kind === 'device' ? choice.match : { ...(size && { size }) });
}

function obstaclesOf(disk: DiskFacts, existingData: 'refuse' | 'erase'): Looked['obstacles'] {
  const { id, byPath, contents, holders } = disk;
  return [
    ...(disk.installMedium
      ? [{ problem: 'DiskIsInstallMedium' as const, reason: 'is what the installer itself was started from' }]
      : []),
    ...(disk.sizeBytes === 0
      ? [{ problem: 'NoDisk' as const, reason: 'has no medium in it (0 bytes)' }]
      : []),
    ...(disk.readOnly ? [{ problem: 'DiskReadOnly' as const, reason: 'is read-only' }] : []),
    ...(id.startsWith('path:') && byPath === undefined
      ? [
          {
            problem: 'DiskUnidentified' as const,
            reason:
              'has no serial number, no world-wide name and no fixed place: after a restart its name may be another disk’s',
          },
        ]
      : []),
    ...(holders.length > 0
      ? [{ problem: 'DiskInUse' as const, reason: `is in use by ${holders.join(', ')}` }]
      : []),
    ...(contents.length > 0 && existingData === 'refuse'
      ? [
          {
            problem: 'DiskHasData' as const,
            reason: `has data, and storage.existingData is refuse: ${contentsOf(disk).join('; ')}`,
          },
        ]
      : []),
  ];
}

/** @returns what is on a disk, one line each, e.g. `partition 2: ext4 "home", 500.0 GiB` */
export function contentsOf({ contents }: DiskFacts): string[] {
  return contents.map(({ partition, type, label, sizeBytes }) => {
    const where = partition === 0 ? 'whole disk' : `partition ${partition}`;
    const name = label ? ` ${JSON.stringify(label)}` : '';
    const size = sizeBytes === undefined ? '' : `, ${(sizeBytes / 2 ** 30).toFixed(1)} GiB`;
    return `${where}: ${type}${name}${size}`;
  });
}

function describe({ disk, mismatches, obstacles }: Looked): Candidate {
  return {
    id: disk.id,
    sizeBytes: disk.sizeBytes,
    ...(disk.model !== undefined && { model: disk.model }),
    rejected: [...mismatches, ...obstacles.map(({ reason }) => reason)],
  };
}

type Order = DiskChoice['order'][number];

/** Sorts by the criteria, the first one first; then by identity, so that the same disks always give the same order. */
function order(looked: readonly Looked[], criteria: readonly Order[]): Looked[] {
  return [...looked].sort(({ disk: a }, { disk: b }) => {
    for (const criterion of [...criteria, 'id' as const]) {
      const difference = compare(a, b, criterion);
      if (difference !== 0) return difference;
    }
    return 0;
  });
}

/** Fastest first, as `transport` orders. */
const TRANSPORTS: readonly DiskFacts['transport'][] = [
  'nvme',
  'virtio',
  'sas',
  'sata',
  'scsi',
  'mmc',
  'usb',
  'file',
  'unknown',
];

function compare(a: DiskFacts, b: DiskFacts, criterion: Order): number {
  if (criterion === 'transport') return TRANSPORTS.indexOf(a.transport) - TRANSPORTS.indexOf(b.transport);
  const sign = criterion.startsWith('-') ? -1 : 1;
  switch (criterion) {
    case 'size':
    case '-size':
      return sign * (a.sizeBytes - b.sizeBytes);
    case 'rotational':
    case '-rotational':
      return sign * (Number(a.rotational) - Number(b.rotational));
    case 'id':
    case '-id':
      return a.id === b.id ? 0 : sign * (a.id < b.id ? -1 : 1);
  }
}
