/** Images assembled from layers and loaded into the engine, with no registry between. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Engine } from '../engine/connect.ts';
import { EngineFailed } from '../engine/errors.ts';
import { EPOCH_SECONDS } from './debian.ts';
import type { Layer } from './layer.ts';

/** An image to be loaded. */
export interface ImageContent {
  /** `localhost/iguana/NAME:HASH`. */
  readonly tag: string;
  readonly layers: readonly Layer[];
  readonly command?: readonly string[];
  readonly env?: readonly string[];
}

/** @returns whether the engine has the image */
export async function hasImage(engine: Engine, tag: string): Promise<boolean> {
  try {
    await engine.docker.getImage(tag).inspect();
    return true;
  } catch (error) {
    if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return false;
    throw new EngineFailed(`looking for image ${tag} in ${engine.name}: ${String(error)}`, { cause: error });
  }
}

/**
 * Loads an image into the engine.
 * @throws EngineFailed; also where the engine reports success and has no such image afterwards
 */
export async function loadImage(engine: Engine, image: ImageContent): Promise<void> {
  const answer = await engine.docker.loadImage(dockerArchive(image), { quiet: true });
  const said: string[] = [];
  for await (const part of answer) said.push(String(part));
  if (!(await hasImage(engine, image.tag))) {
    throw new EngineFailed(
      `loading image ${image.tag} into ${engine.name}: it is not there afterwards; the engine said: ${said.join('').slice(0, 1000)}`,
    );
  }
}

/** When every image was made: the same content gives the same bytes. */
const CREATED = new Date(EPOCH_SECONDS * 1000);

/** An image's configuration (image-spec v1.1, config.md), as JSON. */
export function imageConfig({ layers, command, env }: Omit<ImageContent, 'tag'>): string {
  return JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: CREATED.toISOString(),
    config: {
      Cmd: command ?? [],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', ...(env ?? [])],
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: CREATED.toISOString(), created_by: 'iguana' })),
  });
}

/** An image in the format of `docker save`: https://github.com/moby/docker-image-spec, which both engines load. */
function dockerArchive({ tag, ...content }: ImageContent): Readable {
  const archive = pack();
  const { layers } = content;
  const config = imageConfig(content);
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  const layerName = ({ diffId }: Layer): string => `${diffId.slice('sha256:'.length)}.tar`;
  const manifest = JSON.stringify([{ Config: configName, RepoTags: [tag], Layers: layers.map(layerName) }]);
  const fill = async (): Promise<void> => {
    archive.entry({ name: configName, mtime: CREATED }, config);
    for (const layer of layers) {
      const entry = archive.entry({ name: layerName(layer), size: layer.bytes, mtime: CREATED });
      await pipeline(createReadStream(layer.path), entry);
    }
    archive.entry({ name: 'manifest.json', mtime: CREATED }, manifest);
    archive.finalize();
  };
  // A layer that cannot be read must end the upload with that error.
  fill().catch((error: Error) => archive.destroy(error));
  return Readable.from(archive);
}

/** The part of a tag that stands for what an image is made of. */
export function contentTag(name: string, content: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12);
  return `localhost/iguana/${name}:${hash}`;
}
