/** The root filesystem of a built image as a file, for tools to judge. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackPart } from '../../../image/pack/unpack.ts';
import type { ImageRecord } from '../../../store/image-record.ts';
import type { ImageStore } from '../../../store/store.ts';

/** @returns its path, in a folder of its own that the caller removes */
export async function rootFile(
  store: ImageStore,
  record: ImageRecord,
): Promise<{ folder: string; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'iguana-root-'));
  const path = join(folder, 'root.img');
  const { image, source } = await store.open(record);
  try {
    const [part] = image.parts;
    if (!part) throw new Error('the image has no part');
    await unpackPart({ part, file: path, source });
  } finally {
    await source.close();
  }
  return { folder, path };
}
