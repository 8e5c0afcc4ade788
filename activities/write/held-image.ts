/**
 * What the root partition of a disk held before: the image of its last install, by a note on the disk itself. Only where to look
 * is taken from there: which bytes are still those of the image is told by their hashes.
 */
import { log } from '@temporalio/activity';
import { z } from 'zod';
import { digestSchema } from '../../image/digest-schema.ts';
import { type ImagePart, readImage } from '../../image/format/read-image.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import { ROOT_PART } from '../../store/install-content.ts';
import { type NotedDisk, readNote, writeNote } from '../disk/head-note.ts';
import type { ImageLibrary } from '../images/library.ts';

const noteSchema = z.strictObject({
  iguana: z.literal('held-image/v1'),
  /** Of the manifest of the image. */
  image: digestSchema,
  /** Where on the disk the root partition began. */
  offsetBytes: z.number().int().positive(),
});

/** Notes which image the root partition holds. */
export async function noteHeld(disk: NotedDisk, root: ManifestPartition, image: Digest): Promise<void> {
  const note = { iguana: 'held-image/v1', image, offsetBytes: root.offsetBytes } as const;
  await writeNote(
    disk,
    'held',
    'noting the image on',
    JSON.stringify(note satisfies z.infer<typeof noteSchema>),
  );
}

/**
 * The image that the root partition held, where it began at the same place and its chunk table is still to be had.
 * @returns undefined where nothing is known: then nothing can be reused
 */
export async function heldImage(
  images: ImageLibrary,
  disk: NotedDisk,
  root: ManifestPartition,
): Promise<ImagePart | undefined> {
  const note = parseNote(await readNote(disk, 'held', 'looking for the image on'));
  if (note?.offsetBytes !== root.offsetBytes) return undefined;
  const source = images.open(note.image);
  try {
    const { parts } = await readImage(source);
    return parts.find(({ name }) => name === ROOT_PART);
  } catch (error) {
    // Nothing is lost but the chance to fetch less.
    log.info('the image that the disk held is not known any more', { image: note.image, why: String(error) });
    return undefined;
  } finally {
    await source.close();
  }
}

function parseNote(bytes: Buffer): z.infer<typeof noteSchema> | undefined {
  const text = bytes.subarray(0, Math.max(0, bytes.indexOf(0))).toString();
  if (!text.startsWith('{')) return undefined;
  try {
    return noteSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
