/** What the disk returns, compared with the image. */
import { Context } from '@temporalio/activity';
import { CorruptChunk } from '../../image/write/errors.ts';
import { compareTarget } from '../../image/write/read-back.ts';
import type { AgentActivities, Target } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { exclusively } from '../disk/exclusive.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { failure } from '../failures.ts';
import type { ImageLibrary } from '../images/library.ts';
import { reportProgress } from '../progress.ts';
import { openRoot, withRootImage } from './root-image.ts';

/**
 * Reads every chunk back, before anything else changes the filesystem.
 * @throws failure `VerificationFailed` for a chunk that differs; `ImageMissing`, `DiskVanished`, `DiskChanged`
 */
export function readingBack(images: ImageLibrary): AgentActivities['readBack'] {
  return (step) =>
    exclusively(step.manifest.storage.disk.id, () =>
      withRootImage(images, step.image, async ({ part, source }) => {
        const { node, name } = await openRoot(step);
        const doing = `reading ${name} back`;
        await dropCache(step.target, doing);
        try {
          const bytes = await compareTarget({
            part: part.chunks,
            source,
            target: node,
            signal: Context.current().cancellationSignal,
            onProgress: ({ doneBytes, totalBytes }) =>
              reportProgress({ step: 'read back root', doneBytes, totalBytes }),
          });
          return { bytes };
        } catch (error) {
          if (error instanceof CorruptChunk)
            throw failure('VerificationFailed', `${doing}: ${error.message}`, { cause: error });
          throw ioFailure(error, doing);
        }
      }),
    );
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
