/** Where a build works, and what it leaves when it is killed. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../../host/engine/connect.ts';
import { removeContainer } from '../../host/engine/run.ts';
import { tryLock } from '../../host/lock.ts';
import type { StatePaths } from '../../host/state.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { ImageStore } from '../../store/store.ts';
import type { BuildLog } from './build-log.ts';

/** What belongs to the build of one image; a second build of it waits for the lock. */
export interface BuildPlace {
  /** Unique for an image. */
  readonly name: string;
  readonly lock: string;
  /** Name of the container. Several stores may share an engine: it is this store's. */
  readonly container: string;
  readonly folder: string;
  /** Links to the shared archives of packages. */
  readonly links: string;
}

/** What is brought into the store, and where that happens. */
export interface BuildWork {
  readonly image: ManifestImage;
  readonly imageDigest: Digest;
  readonly place: BuildPlace;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

const STORE_LABEL = 'org.iguana.store';
const BUILD_LABEL = 'org.iguana.build';

/** @returns the place of the build of an image */
export function buildPlace(paths: StatePaths, imageDigest: Digest): BuildPlace {
  return placeOf(paths, imageDigest.slice('sha256:'.length, 'sha256:'.length + 12));
}

function placeOf(paths: StatePaths, name: string): BuildPlace {
  const container = `iguana-build-${name}-${createHash('sha256').update(paths.store).digest('hex').slice(0, 8)}`;
  return {
    name,
    container,
    lock: join(paths.store, 'locks', `build-${name}`),
    folder: join(new ImageStore(paths.store).workFolder, `build-${name}`),
    links: join(paths.cache, 'apt/builds', container),
  };
}

/** Labels of the container, by which {@link removeLeftBuilds} finds it. */
export const buildLabels = (paths: StatePaths, { name }: BuildPlace): Record<string, string> => ({
  [STORE_LABEL]: paths.store,
  [BUILD_LABEL]: name,
});

/**
 * Removes what a build has left, its container first: that may still write. Only for who holds the lock.
 * @throws EngineFailed
 */
export async function clearPlace(engine: Engine, place: BuildPlace): Promise<void> {
  await removeContainer(engine, place.container);
  await removeFiles(place);
}

/** Removes the files of a build; its container has ended. */
export async function removeFiles({ folder, links }: BuildPlace): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await rm(links, { recursive: true, force: true });
}

/**
 * Removes the containers of builds whose worker was killed, and that were cancelled before another worker went on with
 * them. A build that somebody works on keeps its own.
 * @throws EngineFailed
 */
export async function removeLeftBuilds(paths: StatePaths, engine: Engine): Promise<void> {
  const containers = await engine.docker.listContainers({
    all: true,
    filters: { label: [`${STORE_LABEL}=${paths.store}`] },
  });
  for (const { Labels } of containers) {
    const place = placeOf(paths, Labels[BUILD_LABEL] ?? '');
    const lock = await tryLock(place.lock);
    if (!lock) continue;
    try {
      await clearPlace(engine, place);
    } finally {
      await lock.release();
    }
  }
}
