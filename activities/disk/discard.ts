/** Telling a disk what is not needed any more: a favour to flash, and to sparse files. */
import { failure } from '../failures.ts';
import { runTool } from './command.ts';

/**
 * Discards part of a disk or partition; does nothing where it cannot be.
 * @param node block device
 * @param range bytes, multiples of its sector size; without a length up to its end
 * @throws failure `DiskWriteFailed`, and those of {@link runTool}
 */
export async function discard(
  node: string,
  { offset, length }: { readonly offset: number; readonly length?: number },
  doing: string,
): Promise<void> {
  if (length === 0) return;
  const range = ['--offset', String(offset), ...(length === undefined ? [] : ['--length', String(length)])];
  const { status, stderr } = await runTool('blkdiscard', ['--force', ...range, node], { doing, accept: [1] });
  if (status !== 0 && !/not supported/.test(stderr))
    throw failure('DiskWriteFailed', `${doing}: blkdiscard failed: ${stderr}`);
}
