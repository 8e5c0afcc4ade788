/** The image of the root filesystem onto its partition. */
import { Context } from '@temporalio/activity';
import { CorruptChunk, writeChunks } from '../../image/writer.ts';
import type { AgentActivities, WriteResult } from '../contract.ts';
import { exclusively } from '../disk/exclusive.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { unmountAll } from '../disk/mounts.ts';
import { failure } from '../failures.ts';
import { reportProgress } from '../progress.ts';
import { findRootImage, openRoot, type RootImage } from './root-image.ts';

/**
 * Writes the image in verified chunks. What an interrupted attempt left is found on the disk by hash and not written
 * again.
 * @param storeFolder folder of the store of images
 * @throws failure `ImageMissing`, `ImageCorrupt`, `DiskTooSmall`, `DiskWriteFailed`, `DiskVanished`, `DiskChanged`
 */
export function imageWriting(storeFolder: string): AgentActivities['writeImage'] {
  return (step) =>
    exclusively(step.manifest.storage.disk.id, async () => {
      const image = await findRootImage(storeFolder, step.image);
      const root = await openRoot(step);
      const doing = `writing the image onto ${root.name}`;
      const { sizeBytes } = image.table;
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
      return await write(image, root.node, doing);
    });
}

async function write({ path, table }: RootImage, node: string, doing: string): Promise<WriteResult> {
  try {
    return await writeChunks({
      source: path,
      table,
      target: node,
      signal: Context.current().cancellationSignal,
      onProgress: ({ flushedBytes, totalBytes }) =>
        reportProgress({ step: 'write root', doneBytes: flushedBytes, totalBytes }),
    });
  } catch (error) {
    if (error instanceof CorruptChunk)
      throw failure('ImageCorrupt', `${doing}: ${error.message}`, { cause: error });
    // The store may fail as well as the disk; both errors name the file.
    if (error instanceof Error && error.message.includes(path))
      throw failure('ImageCorrupt', `${doing}: the image cannot be read: ${error.message}`, { cause: error });
    throw ioFailure(error, doing);
  }
}
