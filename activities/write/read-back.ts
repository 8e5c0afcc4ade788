/** What the disk returns, compared with the image. */
import { Context } from '@temporalio/activity';
import { ChunkMismatch, verifyChunks } from '../../image/verifier.ts';
import type { AgentActivities, Target } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { exclusively } from '../disk/exclusive.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { failure } from '../failures.ts';
import { reportProgress } from '../progress.ts';
import { findRootImage, openRoot } from './root-image.ts';

/**
 * Reads every chunk back, before anything else changes the filesystem.
 * @param storeFolder folder of the store of images, where the chunk table is
 * @throws failure `VerificationFailed` for the first chunk that differs; `ImageMissing`, `DiskVanished`, `DiskChanged`
 */
export function readingBack(storeFolder: string): AgentActivities['readBack'] {
  return (step) =>
    exclusively(step.manifest.storage.disk.id, async () => {
      const { table } = await findRootImage(storeFolder, step.image);
      const { node, name } = await openRoot(step);
      const doing = `reading ${name} back`;
      await dropCache(step.target, doing);
      try {
        await verifyChunks({
          table,
          target: node,
          signal: Context.current().cancellationSignal,
          onProgress: ({ readBytes, totalBytes }) =>
            reportProgress({ step: 'read back root', doneBytes: readBytes, totalBytes }),
        });
      } catch (error) {
        if (error instanceof ChunkMismatch)
          throw failure('VerificationFailed', `${doing}: ${error.message}`, { cause: error });
        throw ioFailure(error, doing);
      }
      return { bytes: table.sizeBytes };
    });
}

/**
 * Direct access reads past the cache of the partition. Behind a loop device lies the cache of the filesystem that holds
 * the image, which dd(1) drops on request.
 */
async function dropCache(target: Target, doing: string): Promise<void> {
  if (target.kind !== 'file') return;
  await runTool('sync', [target.path], { doing });
  await runTool('dd', [`if=${target.path}`, 'iflag=nocache', 'count=0', 'status=none'], { doing });
}
