/**
 * The phases of an install as one typed table: what each does, what it depends on, and whether a person may skip it.
 *
 * A phase is done when it ended with the key that it has now. A key holds the keys of the phases it builds upon, so
 * when an answer changes, exactly what depends on it is done again.
 */
import type { ImageRef } from '../activities/contract.ts';
import type { Phase } from './api.ts';
import { approve } from './approve.ts';
import { awaitImage } from './await-image.ts';
import { awaitFirstBoot, handOff } from './handoff.ts';
import type { InstallState } from './install-state.ts';
import { agentActivities, control } from './policies.ts';
import type { RunningMachine } from './running-machine.ts';

/** One phase. */
export interface Step {
  /** What the phase depends on; without its predecessors. */
  readonly key: (state: InstallState) => string;
  /** The phases whose outcome this one builds upon. */
  readonly after: readonly Phase[];
  /** Does it; answers one line for people. */
  readonly run: (state: InstallState, machine: RunningMachine) => Promise<string>;
  /** True where the install is sound without it. */
  readonly canSkip: boolean;
  /** True where it builds upon the system as it was written: one that has been booted since has changed its files. */
  readonly needsUnbooted?: boolean;
  /** Where a retry begins; default the phase itself. */
  readonly retryFrom?: (state: InstallState, failureType: string) => Phase;
}

/** The image is not in the store, or not as it was built. */
const IMAGE_LOST: ReadonlySet<string> = new Set(['ImageMissing', 'ImageCorrupt']);

/** Where a step that works on the written disk begins again: with what it found missing. */
function retryOnDisk(phase: Phase) {
  return (_: InstallState, failureType: string): Phase => {
    if (IMAGE_LOST.has(failureType)) return 'build';
    // Somebody else has been at the disk, or returns other bytes than it was given.
    if (failureType === 'DiskChanged') return 'partition';
    return failureType === 'VerificationFailed' ? 'write' : phase;
  };
}

function describeImage({ packageCount, dataBytes, origin }: ImageRef): string {
  const content = `${packageCount} packages, ${dataBytes} bytes`;
  if (!origin) return content;
  const { reference, signer } = origin;
  const identity = signer?.identity ? ` as ${signer.identity}` : '';
  return `${content}; from ${reference}, ${signer ? `signed by ${signer.keyId}${identity}` : 'signature not demanded'}`;
}

const agent = (state: InstallState) => agentActivities(state.input.machineId);

/** All phases. */
export const STEPS: Readonly<Record<Phase, Step>> = {
  probe: {
    key: () => '',
    after: [],
    canSkip: false,
    run: async (state) => {
      const { machineId, target, assumeFirmware } = state.input;
      const facts = await agent(state).probe({
        machineId,
        installId: state.installId,
        target,
        ...(assumeFirmware && { assumeFirmware }),
      });
      state.facts = facts;
      return `${facts.firmware.type}, ${facts.cpu.threads} threads, ${facts.disks.length} disk(s)`;
    },
  },
  plan: {
    key: (state) => state.layers.map(({ name, digest }) => `${name}=${digest}`).join(),
    after: ['probe'],
    canSkip: false,
    // What was in the way may be gone: a disk attached, a filesystem unmounted.
    retryFrom: () => 'probe',
    run: async (state) => {
      if (!state.facts) throw new Error('planning before probing');
      state.plan = await control.plan({
        layers: state.layers,
        facts: state.facts,
        target: state.input.target,
      });
      return `disk ${state.plan.manifest.storage.disk.id}`;
    },
  },
  approve: {
    key: ({ planned }) => `${planned.manifest.storage.disk.id} ${JSON.stringify(planned.destroyed)}`,
    after: [],
    canSkip: false,
    run: approve,
  },
  build: {
    key: ({ planned }) => planned.keys.build,
    after: [],
    canSkip: false,
    run: async (state) => {
      state.image = await awaitImage(state.planned.manifest);
      return describeImage(state.image);
    },
  },
  partition: {
    key: ({ planned }) => planned.keys.partition,
    after: ['approve'],
    canSkip: false,
    // What is on the disk may be something else than what was planned and approved for.
    retryFrom: () => 'probe',
    run: async (state) => {
      const { changed } = await agent(state).partition({
        ...state.diskStep,
        approved: state.approvedContents,
      });
      return changed ? 'partitioned' : 'already partitioned';
    },
  },
  write: {
    key: () => '',
    after: ['build', 'partition'],
    canSkip: false,
    retryFrom: retryOnDisk('write'),
    run: async (state) => {
      state.hasBooted = false;
      const step = { ...state.diskStep, image: state.built };
      const { writtenBytes, reusedBytes } = await agent(state).writeImage(step);
      await agent(state).readBack(step);
      await agent(state).growFilesystem(step);
      return `${writtenBytes} bytes written, ${reusedBytes} bytes found on the disk; read back`;
    },
  },
  personalise: {
    key: ({ planned }) => planned.keys.personalise,
    after: ['write'],
    canSkip: false,
    needsUnbooted: true,
    retryFrom: retryOnDisk('personalise'),
    run: async (state) => {
      const { identity = 'unique', reportUrl } = state.input;
      const waits = state.planned.manifest.confirmation.wait === 'first-boot';
      const result = await agent(state).personalise({
        ...state.diskStep,
        machineId: state.input.machineId,
        image: state.built,
        identity,
        ...(waits && reportUrl && { reportUrl }),
      });
      // Another token is another system: what the last one reported does not count.
      state.firstBoot = undefined;
      state.tokenDigest = result.tokenDigest;
      state.changedDigest = result.changedDigest;
      return `${result.changedCount} files`;
    },
  },
  bootloader: {
    key: ({ planned }) => planned.keys.bootloader,
    after: ['personalise'],
    canSkip: false,
    needsUnbooted: true,
    retryFrom: retryOnDisk('bootloader'),
    run: async (state) => {
      const { entry } = await agent(state).installBootloader({ ...state.diskStep, image: state.built });
      return entry;
    },
  },
  verify: {
    key: () => '',
    after: ['bootloader'],
    canSkip: false,
    needsUnbooted: true,
    retryFrom: retryOnDisk('verify'),
    run: async (state) => {
      if (!state.changedDigest) throw new Error('verifying before personalising');
      const step = { ...state.diskStep, image: state.built, changedDigest: state.changedDigest };
      const { files, bytes } = await agent(state).verify(step);
      await agent(state).release(state.hold);
      return `${files} files, ${bytes} bytes read back and equal`;
    },
  },
  handoff: {
    key: ({ planned }) => planned.keys.handoff,
    after: ['verify'],
    canSkip: true,
    run: handOff,
  },
  confirm: {
    key: ({ planned }) => planned.keys.confirm,
    after: ['handoff'],
    canSkip: true,
    // A machine that has left its agent behind cannot be told to leave again.
    retryFrom: ({ planned }) =>
      planned.manifest.handoff.action === 'virtual-machine' ? 'handoff' : 'confirm',
    run: awaitFirstBoot,
  },
};
