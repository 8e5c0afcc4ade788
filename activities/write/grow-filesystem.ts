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

/** A filesystem to be grown. */
interface Growth {
  readonly installId: string;
  /** Of the partition. */
  readonly node: string;
  readonly doing: string;
}

const GROW: Partial<Record<ManifestPartition['filesystem'], (growth: Growth) => Promise<void>>> = {
  ext4: growUnmounted,
  xfs: (growth) => growMounted(growth, 'xfs', (at) => ['xfs_growfs', '-d', at]),
  btrfs: (growth) => growMounted(growth, 'btrfs', (at) => ['btrfs', 'filesystem', 'resize', 'max', at]),
};

/** e2fsck(8): 1 and 2 say that errors were corrected. */
const CORRECTED = [1, 2];

/**
 * Grows the root filesystem to its partition; one that fills it already stays as it is.
 * @throws failure `VerificationFailed` where the filesystem is missing or damaged, `StorageImpossible` where it cannot be grown
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
    await grow({ installId: step.installId, node, doing });
  });

/**
 * ext4, unmounted: its online resize needs CAP_SYS_RESOURCE of the host, which not every container has. A resize that
 * was interrupted leaves a mark on which resize2fs insists on a check before.
 */
async function growUnmounted({ node, doing }: Growth): Promise<void> {
  await runTool('e2fsck', ['-f', '-y', node], { doing, accept: CORRECTED, failAs: 'VerificationFailed' });
  await runTool('resize2fs', [node], { doing });
}

/** xfs and btrfs can only be grown mounted; the kernel journals what it does. */
async function growMounted(
  { installId, node, doing }: Growth,
  filesystem: string,
  command: (mountPoint: string) => readonly [string, ...string[]],
): Promise<void> {
  try {
    const at = await mountFilesystem({ installId, device: node, filesystem, where: 'grow' });
    const [tool, ...args] = command(at);
    await runTool(tool, args, { doing });
  } finally {
    await unmountAll(installId);
  }
}
