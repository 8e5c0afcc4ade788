/** The root filesystem, as large as its partition. */
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import type { AgentActivities } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { signatures } from '../disk/contents.ts';
import { rootPartition } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { mountFilesystem, unmountAll } from '../disk/mounts.ts';
import { failure } from '../failures.ts';
import { openRoot } from './root-image.ts';

/**
 * How each filesystem is grown: mounted, since the kernel journals what it does. A resize of an unmounted ext4 that is
 * interrupted leaves a filesystem that only e2fsck can try to mend.
 */
const GROW: Partial<Record<ManifestPartition['filesystem'], (node: string, at: string) => Command>> = {
  ext4: (node) => ['resize2fs', node],
  xfs: (_, at) => ['xfs_growfs', '-d', at],
  btrfs: (_, at) => ['btrfs', 'filesystem', 'resize', 'max', at],
};
type Command = readonly [string, ...string[]];

/**
 * Grows the root filesystem to its partition; one that fills it already stays as it is.
 * @throws failure `VerificationFailed` where the filesystem is not there, `StorageImpossible` where it cannot be grown
 */
export const growFilesystem: AgentActivities['growFilesystem'] = async (step) =>
  exclusively(step.manifest.storage.disk.id, async () => {
    const { node, name } = await openRoot(step);
    const root = rootPartition(step);
    const doing = `growing the ${root.filesystem} on ${name}`;
    const { TYPE: found } = await signatures(node);
    if (found !== root.filesystem)
      throw failure('VerificationFailed', `${doing}: there is ${found ?? 'no filesystem'} on it`);
    const grow = GROW[root.filesystem];
    if (!grow) throw failure('StorageImpossible', `${doing}: it cannot be grown`);
    await unmountAll(step.installId);
    try {
      const { installId } = step;
      const { filesystem } = root;
      const at = await mountFilesystem({ installId, device: node, filesystem, where: 'grow' });
      const [tool, ...args] = grow(node, at);
      await runTool(tool, args, { doing });
    } finally {
      await unmountAll(step.installId);
    }
  });
