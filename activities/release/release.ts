/** Letting go of everything that an install holds on the machine. */
import type { AgentActivities } from '../contract.ts';
import { exclusively } from '../disk/exclusive.ts';
import { detachLoopDevices } from '../disk/loop.ts';
import { unmountAll } from '../disk/mounts.ts';

/**
 * Unmounts everything of the install, and detaches the disk image from its loop devices, also those that a killed agent
 * left. Waits until a step that is still running on the disk has ended.
 * @throws failure `CommandFailed` where a mount is still in use
 */
export const release: AgentActivities['release'] = async ({ installId, target, diskId }) => {
  const letGo = async (): Promise<void> => {
    await unmountAll(installId);
    if (target.kind === 'file') await detachLoopDevices(target.path);
  };
  // Before a disk is chosen there is no step that could be at work on one.
  await (diskId === undefined ? letGo() : exclusively(diskId, letGo));
};
