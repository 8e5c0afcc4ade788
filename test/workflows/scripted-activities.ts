/**
 * Activities that answer at once, so that the workflow's own decisions can be driven into every corner: the server,
 * the workers and the workflows are real. Each call is counted; any of them can be replaced.
 */
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type {
  AgentActivities,
  BuilderActivities,
  ControlActivities,
  ImageRef,
  PlanInput,
  PlanResult,
} from '../../activities/contract.ts';
import { failure } from '../../activities/failures.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import type { Facts } from '../../manifest/schema/facts.ts';
import type { Manifest } from '../../manifest/schema/manifest.ts';

/** An activity that works until it is cancelled. Cancellations arrive with the answers to heartbeats. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 200);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
}

/** All activities in one table. */
export type Activities = AgentActivities & BuilderActivities & ControlActivities;

export const digestOf = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** A token that "personalise" put on the disk. */
export const TOKEN_DIGEST = digestOf('token');

/** A layer `key: value` lines of which become the keys of phases, e.g. `personalise: a`. */
export const layer = (name: string, text: string) => ({ name, digest: digestOf(text), text });

const values = (layers: PlanInput['layers']): Map<string, string> =>
  new Map(
    layers
      .flatMap(({ text }) => text.split('\n'))
      .filter(Boolean)
      .map((line) => line.split(': ') as [string, string]),
  );

function planFor({ layers }: PlanInput): PlanResult {
  const given = values(layers);
  const key = (name: string) => digestOf(`${name} ${given.get(name) ?? ''}`);
  const manifest = {
    apiVersion: 'iguana/v1',
    kind: 'Manifest',
    inputs: [],
    imageDigest: key('build'),
    storage: { disk: { id: 'file:/disk.img' } },
    handoff: {
      action: given.get('handoff') ?? 'none',
      virtualMachine: { memory: 512, cpus: 1, sshPort: 0 },
    },
    confirmation: {
      wait: given.get('confirm') ?? 'none',
      timeoutSeconds: Number(given.get('timeout') ?? 60),
    },
  } as unknown as Manifest;
  const destroyed = given.has('destroys')
    ? [{ diskId: 'file:/disk.img', what: given.get('destroys') ?? '' }]
    : [];
  return {
    manifest,
    manifestDigest: digestOf(JSON.stringify([...given])),
    destroyed,
    keys: {
      build: key('build'),
      partition: key('partition'),
      personalise: key('personalise'),
      bootloader: key('bootloader'),
      handoff: key('handoff'),
      confirm: key('confirm'),
    },
  };
}

const IMAGE: Omit<ImageRef, 'imageDigest'> = {
  rootDigest: digestOf('root'),
  rootBytes: 1000,
  dataBytes: 500,
  espDigest: digestOf('esp'),
  filesDigest: digestOf('files'),
  sbomDigest: digestOf('sbom'),
  packageCount: 3,
};

/** Scripted activities with the record of what was called. */
export class Script {
  readonly calls: string[] = [];
  readonly activities: Activities;

  constructor(replaced: Partial<Activities> = {}) {
    const plain: Activities = {
      probe: async () =>
        ({ firmware: { type: 'uefi' }, cpu: { threads: 2 }, disks: [{}] }) as unknown as Facts,
      plan: async (input) => planFor(input),
      checkLayers: async () => undefined,
      buildImage: async () => ({ ...IMAGE, imageDigest: digestOf('image') }),
      partition: async () => ({ changed: true }),
      writeImage: async () => ({ writtenBytes: 500, reusedBytes: 0, skippedBytes: 500 }),
      readBack: async () => ({ bytes: 1000 }),
      growFilesystem: async () => undefined,
      personalise: async () => ({
        tokenDigest: TOKEN_DIGEST,
        changedDigest: digestOf('changed'),
        changedCount: 5,
      }),
      installBootloader: async () => ({ entry: 'debian.conf' }),
      verify: async () => ({ files: 10, bytes: 1000 }),
      release: async () => undefined,
      leave: async () => undefined,
      runVirtualMachine: async () => undefined,
      cutPower: async () => undefined,
      firstBootOverdue: async () => {
        throw new Error('not scripted');
      },
      firstBootScriptsFailed: async ({ failedScripts }) => {
        throw failure('FirstBootScriptFailed', failedScripts.join());
      },
    };
    this.activities = this.#counted({ ...plain, ...replaced });
  }

  /** How often an activity was called. */
  count(name: keyof Activities): number {
    return this.calls.filter((call) => call === name).length;
  }

  #counted(activities: Activities): Activities {
    const counted = Object.entries(activities).map(([name, run]) => [
      name,
      (input: never) => {
        this.calls.push(name);
        return (run as (input: never) => Promise<unknown>)(input);
      },
    ]);
    return Object.fromEntries(counted) as Activities;
  }
}
