/** A disk case: the disk before, the steps, and what independent tools must find on the disk after them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DiskContent } from '../../../manifest/schema/facts.ts';
import type { Manifest, ManifestPartition } from '../../../manifest/schema/manifest.ts';
import { Agent, StepError } from './agent.ts';
import { contentChecksum, expectDisk, expectNothingHeld } from './judge.ts';
import { type CasePartition, caseManifest, MIB } from './manifests.ts';
import type { StepFailure } from './protocol.ts';

/** What a case is about. */
export interface CaseDisk {
  readonly sizeMiB: number;
  readonly partitions: readonly CasePartition[];
  /** Where the disk image is; default the agent's folder. */
  readonly folder?: string;
}

/** What a case works with. */
export interface CaseContext {
  readonly agent: Agent;
  /** The disk image; it does not exist unless the case makes it. */
  readonly path: string;
  readonly manifest: Manifest;
  readonly step: { readonly installId: string; readonly target: FileTarget; readonly manifest: Manifest };
  /** The same with other partitions or another install. */
  with(change: { partitions?: readonly CasePartition[]; installId?: string }): CaseContext;
  /** What the probe finds on the disk now. */
  contents(): Promise<DiskContent[]>;
  /** @param approvedErase whether what the probe finds on the disk now may be lost */
  partition(approvedErase?: boolean): Promise<{ changed: boolean }>;
}

/** For hanging, not for slowness: a case takes a few seconds. */
export const CASE_TIMEOUT_MS = 300_000;

/** The first test on a machine makes the agent's image. */
const IMAGE_TIMEOUT_MS = 900_000;

interface FileTarget {
  readonly kind: 'file';
  readonly path: string;
  readonly sizeBytes: number;
}

let lastCase = 0;

/** A case on a new disk image. */
export function newCase(agent: Agent, { sizeMiB, partitions, folder = agent.folder }: CaseDisk): CaseContext {
  const path = `${folder}/disk-${++lastCase}.img`;
  const sizeBytes = sizeMiB * MIB;
  const target = { kind: 'file', path, sizeBytes } as const;
  const make = (installId: string, chosen: readonly CasePartition[]): CaseContext => {
    const manifest = caseManifest({ id: `file:${path}`, sizeBytes, sectorBytes: 512 }, chosen);
    const step = { installId, target, manifest };
    const contents = async () => {
      const { disks } = await agent.run('probe', { machineId: 'case', installId, target });
      return disks.flatMap((disk) => disk.contents);
    };
    return {
      agent,
      path,
      manifest,
      step,
      contents,
      with: (change) => make(change.installId ?? installId, change.partitions ?? chosen),
      partition: async (approvedErase = false) =>
        agent.run('partition', { ...step, approved: approvedErase ? await contents() : [] }),
    };
  };
  return make(`case/${lastCase}`, partitions);
}

/**
 * The agent container of one test file. After the file nothing may be left behind: no loop device, no mount.
 * @returns gives the container, once the file's tests run
 */
export function useAgent(): () => Agent {
  let agent: Agent;
  beforeAll(async () => {
    agent = await Agent.create();
  }, IMAGE_TIMEOUT_MS);
  afterAll(async () => {
    await expectNothingHeld(agent);
    await agent.dispose();
  }, CASE_TIMEOUT_MS);
  return () => agent;
}

/** A disk that can be partitioned. */
export interface PositiveCase {
  readonly disk: CaseDisk;
  /** Shell script that makes what is on the disk before; `$DISK` is the image file, sparse and of its full size. */
  readonly before?: string;
  readonly approvedErase?: boolean;
  /** More that must hold afterwards; the loop device is still attached. */
  readonly after?: (context: CaseContext) => Promise<void>;
}

/** Partitions the disk, twice: the first run changes it, the second finds nothing to do and leaves every byte. */
export function positiveCase(name: string, agent: () => Agent, wanted: PositiveCase): void {
  test(name, { timeout: CASE_TIMEOUT_MS }, async () => {
    const context = newCase(agent(), wanted.disk);
    await prepare(context, wanted.before);
    expect(await context.partition(wanted.approvedErase)).toEqual({ changed: true });
    await expectDisk(context);
    await wanted.after?.(context);
    const before = await contentChecksum(context);
    expect(await context.partition(wanted.approvedErase)).toEqual({ changed: false });
    expect(await contentChecksum(context)).toBe(before);
    await agent().run('release', context.step);
  });
}

/** A disk that must be refused. */
export interface NegativeCase {
  readonly disk: CaseDisk;
  readonly before?: string;
  readonly approvedErase?: boolean;
  /** What the failure must be. */
  readonly failure: Pick<StepFailure, 'type' | 'nonRetryable'> & { readonly message: RegExp };
}

/** Tries to partition the disk: it fails with the words that are wanted, and every byte on the disk stays. */
export function negativeCase(name: string, agent: () => Agent, wanted: NegativeCase): void {
  test(name, { timeout: CASE_TIMEOUT_MS }, async () => {
    const context = newCase(agent(), wanted.disk);
    await prepare(context, wanted.before);
    const before = await contentChecksum(context);
    const failure = await failureOf(context.partition(wanted.approvedErase));
    expect(failure).toMatchObject({ type: wanted.failure.type, nonRetryable: wanted.failure.nonRetryable });
    expect(failure.message).toMatch(wanted.failure.message);
    await agent().run('release', context.step);
    expect(await contentChecksum(context)).toBe(before);
  });
}

/** The root partition of a case. */
export function rootOf({ manifest }: CaseContext): ManifestPartition {
  const root = manifest.storage.partitions.find(({ type }) => type === 'root');
  if (!root) throw new Error('the case has no root partition');
  return root;
}

/** Makes the disk image of a case and runs its script on it. */
export async function prepare({ agent, path, step }: CaseContext, script = ''): Promise<void> {
  await agent.shell(`DISK=${path}\ntruncate --size ${step.target.sizeBytes} "$DISK"\n${script}`);
}

/** The failure of a step that must fail. */
export async function failureOf(step: Promise<unknown>): Promise<StepFailure> {
  try {
    await step;
  } catch (error) {
    if (error instanceof StepError) return error.failure;
    throw error;
  }
  throw new Error('the step succeeded');
}
