/** The disk steps of the agent. */
import type { AgentActivities } from './contract.ts';
import { leave } from './handoff/leave.ts';
import type { ImageLibrary } from './images/library.ts';
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

/** The steps on the disks of a machine that finds its images there. */
export function diskActivities(images: ImageLibrary): DiskActivities {
  return {
    probe,
    partition: partitioning(images),
    writeImage: imageWriting(images),
    readBack: readingBack(images),
    growFilesystem,
    release,
    leave,
  };
}
