/** The image of the root filesystem onto its partition. */
import { Context, log } from '@temporalio/activity';
import type { ImagePart } from '../../image/format/read-image.ts';
import { writeImage } from '../../image/write/writer.ts';
import type { AgentActivities, WriteResult } from '../contract.ts';
import { discard } from '../disk/discard.ts';
import { rootPartition } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { unmountAll } from '../disk/mounts.ts';
import { failure } from '../failures.ts';
import { imageFailure } from '../images/failures.ts';
import type { ImageLibrary } from '../images/library.ts';
import { reportProgress } from '../progress.ts';
import { heldImage, noteHeld } from './held-image.ts';
import { openRoot, type RootImage, withRootImage } from './root-image.ts';

/**
 * Writes the image in verified chunks. What an interrupted attempt left, and what the disk holds of an earlier install, is found by
 * hash and not written again.
 * @throws failure `ImageMissing`, `ImageCorrupt`, `ImageUnavailable`, `DiskTooSmall`, `DiskWriteFailed`, `DiskVanished`, `DiskChanged`
 */
export function imageWriting(images: ImageLibrary): AgentActivities['writeImage'] {
  return (step) =>
    exclusively(step.manifest.storage.disk.id, () =>
      withRootImage(images, step.image, async (image) => {
        const root = await openRoot(step);
        const doing = `writing the image onto ${root.name}`;
        const { sizeBytes } = image.part;
        if (sizeBytes > root.sizeBytes)
          throw failure(
            'DiskTooSmall',
            `${doing}: the image has ${sizeBytes} bytes, the partition ${root.sizeBytes}`,
            {
              remedy: 'Make the root partition larger or the image smaller, then amend.',
              context: { imageBytes: sizeBytes, partitionBytes: root.sizeBytes },
            },
          );
        await unmountAll(step.installId);
        const { disk } = root;
        const partition = rootPartition(step);
        const held = await heldImage(images, disk, partition);
        const result = await write(image, { target: root.node, held, doing });
        // What the image does not cover of a partition that was not erased.
        if (held) await discard(root.node, { offset: alignUp(sizeBytes) }, doing);
        await noteHeld(disk, partition, step.image.rootDigest);
        return result;
      }),
    );
}

/** Discarding is by sectors, the largest of which have 4 KiB. */
const alignUp = (bytes: number): number => Math.ceil(bytes / 4096) * 4096;

interface RootWrite {
  readonly target: string;
  readonly held: ImagePart | undefined;
  readonly doing: string;
}

async function write({ part, source }: RootImage, { target, held, doing }: RootWrite): Promise<WriteResult> {
  let reportedBytes = 0;
  try {
    const { written, kept, copied, zeros, direct } = await writeImage({
      part: part.chunks,
      source,
      target,
      ...(held && { held: held.chunks }),
      // Whether an attempt was here before is known by looking only: one that was killed has told nothing of its last moments.
      flushed: [],
      // A step of its own: it reads what the disk has when all is written.
      readBack: false,
      signal: Context.current().cancellationSignal,
      onProgress: ({ flushed, ...progress }) => {
        const doneBytes = flushed.reduce((sum, [start, end]) => sum + end - start, 0);
        if (doneBytes === reportedBytes) return;
        reportedBytes = doneBytes;
        const reused = progress.kept + progress.copied;
        const message = `${progress.fetched} bytes fetched, ${progress.written} bytes written, ${reused} bytes reused, ${progress.zeros} bytes of zeros`;
        reportProgress({ step: 'write root', doneBytes, totalBytes: part.sizeBytes, message });
      },
    });
    if (!direct) log.warn('the disk has no direct access: it was written through the cache', { target });
    return { writtenBytes: written, reusedBytes: kept + copied, skippedBytes: zeros };
  } catch (error) {
    throw imageFailure(error, doing) ?? ioFailure(error, doing);
  }
}
