/** Layers of container images, kept in the cache under what they were made of. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { readJsonFile, writeJsonFile } from '../json-file.ts';

/** One layer of an image: a tar archive. */
export interface Layer {
  /** The archive, not compressed. */
  readonly path: string;
  /** `sha256:…` of the archive: what OCI calls DiffID. */
  readonly diffId: string;
  readonly bytes: number;
}

/** How many days a layer that no image used is kept. */
const UNUSED_DAYS = 30;

/**
 * A layer from the cache; made where it is not there.
 * @param folder the cache of layers
 * @param key what the layer is made of; anything that changes it must be in here
 * @param make writes the archive to the path it is given; what it leaves there after a failure is removed
 */
export async function cachedLayer(
  folder: string,
  key: unknown,
  make: (path: string) => Promise<void>,
): Promise<Layer> {
  await mkdir(folder, { recursive: true });
  const digest = createHash('sha256').update(JSON.stringify(key)).digest('hex');
  const record = join(folder, `${digest}.json`);
  const path = join(folder, `${digest}.tar`);
  const found = await readJsonFile<Omit<Layer, 'path'>>(record);
  if (found && (await sizeOf(path)) === found.bytes) {
    await utimes(record, new Date(), new Date());
    return { path, ...found };
  }
  // Another process may make the same at the same time: the same bytes, and the last one stays.
  const temporary = `${path}.${randomUUID()}.new`;
  try {
    await make(temporary);
    const file = await open(temporary);
    await file.sync().finally(() => file.close());
    const layer = { diffId: await digestOf(temporary), bytes: (await stat(temporary)).size };
    await rename(temporary, path);
    // The record comes last: a layer without one is made again.
    await writeJsonFile(record, layer, 0o644);
    return { path, ...layer };
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Removes layers that no image has used for a month, and what a killed process has left of one. */
export async function dropUnusedLayers(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const oldest = Date.now() - UNUSED_DAYS * 24 * 3600 * 1000;
  for (const name of await readdir(folder)) {
    // What is being made may have files of its own beside it.
    if (!/\.json$|\.new(?:\.|$)/.test(name)) continue;
    const path = join(folder, name);
    // Others make and remove files here, too.
    const found = await stat(path).catch(() => undefined);
    if (!found || found.mtimeMs > oldest) continue;
    await rm(path, { recursive: true, force: true });
    if (name.endsWith('.json')) await rm(path.replace(/json$/, 'tar'), { force: true });
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path, { bigint: false }).catch(() => undefined))?.size;
}
