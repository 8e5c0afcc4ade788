/** Bringing an image into the store, built or fetched: once, whoever asks, and never half. */
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { openEngine } from '../../host/engine/open.ts';
import type { StatePaths } from '../../host/state.ts';
import { BadImage } from '../../image/format/errors.ts';
import { digestOf } from '../../manifest/digest.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { checkContent } from '../../store/check-content.ts';
import type { ImageRecord } from '../../store/image-record.ts';
import { ImageStore } from '../../store/store.ts';
import type { ImageRef } from '../contract.ts';
import { failure } from '../failures.ts';
import { reportProgress } from '../progress.ts';
import { alone } from './alone.ts';
import { BuildLog } from './build-log.ts';
import { asBuildFailure } from './failure.ts';
import { fetchImage } from './fetch-image.ts';
import { type BuildWork, buildPlace, clearPlace, removeFiles } from './place.ts';
import { writeRecipe } from './recipe.ts';
import { collectResults } from './results.ts';
import { runBuilder } from './run-builder.ts';
import { storeImage } from './store-image.ts';

/**
 * Builds an image, fetches it where it comes from elsewhere, or finds it in the store.
 *
 * Either works in a folder of its own under the store; what is left of a killed one is removed by the next. The image is
 * in the store when its record is, which is written last.
 * @throws a failure of the catalogue's part about building, which names the build log
 */
export async function buildImage(paths: StatePaths, image: ManifestImage): Promise<ImageRef> {
  const imageDigest = digestOf(image);
  const store = new ImageStore(paths.store);
  const { cancellationSignal: signal } = Context.current();
  const found = await findImage(store, imageDigest, signal);
  if (found) return imageRef(found);
  const place = buildPlace(paths, imageDigest);
  return await alone(place.lock, signal, async () => {
    // Whoever held the lock may have built it.
    const built = await findImage(store, imageDigest, signal);
    if (built) return imageRef(built);
    const log = await BuildLog.open(join(paths.logs, `build-${place.name}.log`));
    try {
      const work = { image, imageDigest, place, log, signal };
      return imageRef(await (image.from ? fetchImage(store, image.from, work) : build(paths, store, work)));
    } catch (error) {
      signal.throwIfAborted();
      throw await asBuildFailure(error, log, paths);
    } finally {
      await log.close();
    }
  });
}

/**
 * What comes from elsewhere is looked at each time: an Iguana that did not look at it may have fetched it, and its source may be
 * away by now. Builds make what installs need.
 * @returns undefined where the store does not have it
 * @throws failure `ImageUnsuitable`; ImageIoError
 */
async function findImage(
  store: ImageStore,
  imageDigest: ImageRecord['imageDigest'],
  signal: AbortSignal,
): Promise<ImageRecord | undefined> {
  const found = await store.find(imageDigest);
  if (!found?.origin) return found;
  const { image, origin, esp, files } = found;
  const doing = `using the image ${image.digest} of ${origin.reference}, which is in the store`;
  try {
    await checkContent(
      doing,
      { esp: store.blobPath(esp.digest), files: store.blobPath(files.digest) },
      signal,
    );
  } catch (error) {
    if (error instanceof BadImage) throw failure('ImageUnsuitable', error.message, { cause: error });
    throw error;
  }
  return found;
}

async function build(
  paths: StatePaths,
  store: ImageStore,
  { image, imageDigest, place, log, signal }: BuildWork,
): Promise<ImageRecord> {
  reportProgress({ step: 'prepare', message: 'opening the container engine' });
  const engine = await openEngine(paths);
  const { folder } = place;
  // What is left of a killed one.
  await clearPlace(engine, place);
  try {
    await store.prepare();
    await writeRecipe(image, join(folder, 'recipe'));
    await runBuilder(paths, engine, { image, place, log, signal });
    reportProgress({ step: 'store' });
    const results = await collectResults(join(folder, 'out'), image);
    return await storeImage(store, folder, { imageDigest, image, results, signal });
  } finally {
    await removeFiles(place);
  }
}

/** What the workflow learns of an image. */
function imageRef(record: ImageRecord): ImageRef {
  const { imageDigest, rootBytes, dataBytes, packageCount, origin } = record;
  return {
    imageDigest,
    rootDigest: record.image.digest,
    rootBytes,
    dataBytes,
    espDigest: record.esp.digest,
    filesDigest: record.files.digest,
    sbomDigest: record.sbom.digest,
    packageCount,
    ...(origin && { origin }),
  };
}
