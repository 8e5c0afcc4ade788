/** The disk steps of the agent. */
import type { StatePaths } from '../host/state.ts';
import type { AgentActivities } from './contract.ts';
import { leave } from './handoff/leave.ts';
import { partitioning } from './partition/partition.ts';
import { probe } from './probe/probe.ts';
import { release } from './release/release.ts';
import { growFilesystem } from './write/grow-filesystem.ts';
import { readingBack } from './write/read-back.ts';
import { imageWriting } from './write/write-image.ts';

/** The activities that this module answers for. */
type DiskActivities = Pick<
  AgentActivities,
  'probe' | 'partition' | 'writeImage' | 'readBack' | 'growFilesystem' | 'release' | 'leave'
>;

/** @param paths where the store of images is */
export function diskActivities({ store }: StatePaths): DiskActivities {
  return {
    probe,
    partition: partitioning(store),
    writeImage: imageWriting(store),
    readBack: readingBack(store),
    growFilesystem,
    release,
    leave,
  };
}
