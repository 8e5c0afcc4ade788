/**
 * The phases of an install as one typed table: what each does, what it depends on, and whether a person may skip it.
 *
 * A phase is done when it ended with the key that it has now. A key holds the keys of the phases it builds upon, so
 * when an answer changes, exactly what depends on it is done again.
 */
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
  /** Where a retry begins, when not with the phase itself. */
  readonly retryFrom?: (state: InstallState) => Phase;
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
    // What was in the way may be gone: a disk attached, a filesystem unmounted. But not once the install has begun on
    // a disk: its facts would then tell of the install's own half-written data.
    retryFrom: ({ ownDisk }) => (ownDisk ? 'plan' : 'probe'),
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
      return `${state.image.packageCount} packages, ${state.image.dataBytes} bytes`;
    },
  },
  partition: {
    key: ({ planned }) => planned.keys.partition,
    after: ['approve'],
    canSkip: false,
    run: async (state) => {
      const diskId = state.planned.manifest.storage.disk.id;
      // Once this install has begun on a disk, what is on it is its own.
      const approvedErase = state.planned.destroyed.length > 0 || state.ownDisk === diskId;
      state.ownDisk = diskId;
      const { changed } = await agent(state).partition({ ...state.diskStep, approvedErase });
      return changed ? 'partitioned' : 'already partitioned';
    },
  },
  write: {
    key: () => '',
    after: ['build', 'partition'],
    canSkip: false,
    run: async (state) => {
      const step = { ...state.diskStep, image: state.built };
      const { writtenBytes, reusedBytes } = await agent(state).writeImage(step);
      await agent(state).readBack(step);
      await agent(state).growFilesystem(step);
      return `${writtenBytes} bytes written, ${reusedBytes} found on the disk; read back`;
    },
  },
  personalise: {
    key: ({ planned }) => planned.keys.personalise,
    after: ['write'],
    canSkip: false,
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
      state.tokenDigest = result.tokenDigest;
      state.changedDigest = result.changedDigest;
      return `${result.changedCount} files`;
    },
  },
  bootloader: {
    key: ({ planned }) => planned.keys.bootloader,
    after: ['personalise'],
    canSkip: false,
    run: async (state) => {
      const { entry } = await agent(state).installBootloader({ ...state.diskStep, image: state.built });
      return entry;
    },
  },
  verify: {
    key: () => '',
    after: ['bootloader'],
    canSkip: false,
    run: async (state) => {
      if (!state.changedDigest) throw new Error('verifying before personalising');
      const step = { ...state.diskStep, image: state.built, changedDigest: state.changedDigest };
      const { files, bytes } = await agent(state).verify(step);
      await agent(state).release({ installId: state.installId, target: state.input.target });
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
    retryFrom: () => 'handoff',
    run: awaitFirstBoot,
  },
};
