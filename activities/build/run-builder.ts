/** Running the recipe in the builder container. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBuilderImage } from '../../host/containers/builder.ts';
import type { Engine } from '../../host/engine/connect.ts';
import { runContainer } from '../../host/engine/run.ts';
import type { StatePaths } from '../../host/state.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { reportProgress } from '../progress.ts';
import type { BuildLog } from './build-log.ts';
import { filesystemUuid } from './filesystem-uuid.ts';
import { memoryToSpare } from './memory.ts';
import { type BuildPlace, buildLabels } from './place.ts';

/** What runs in the container. */
const SCRIPTS = join(import.meta.dirname, 'container');
/** The host's certificate authorities, for mirrors that are reached by https through a company's own. */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** One build. */
export interface BuilderRun {
  readonly image: ManifestImage;
  /** Its folder holds `recipe`; gets `out`. */
  readonly place: BuildPlace;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

/** The scripts in the container said why they stopped, or just stopped. */
export class BuilderStopped extends Error {
  override readonly name = 'BuilderStopped';
  readonly status: number;
  /** Step that was running. */
  readonly step: string;
  /** What the scripts said, as name in the catalogue and what it is about. */
  readonly stated: { readonly type: string; readonly subject: string } | undefined;

  constructor(status: number, step: string, stated: BuilderStopped['stated']) {
    super(`the builder ended with status ${status} in step ${step}`);
    this.status = status;
    this.step = step;
    this.stated = stated;
  }
}

/**
 * Builds into `out` of the folder.
 * @throws BuilderStopped, EngineFailed, or the signal's reason
 */
export async function runBuilder(paths: StatePaths, engine: Engine, run: BuilderRun): Promise<void> {
  const { log, place } = run;
  const tag = await ensureBuilderImage(engine, paths, (line) => {
    log.add(line);
    reportProgress({ step: 'prepare', message: line });
  });
  await mkdir(join(paths.cache, 'apt'), { recursive: true });
  const memory = await memoryToSpare();
  if (memory > 0) {
    try {
      await attempt(paths, engine, tag, run, memory);
      return;
    } catch (error) {
      if (!(error instanceof BuilderStopped) || !isTreeFull(log)) throw error;
      log.add(`iguana: the tree does not fit into ${memory} bytes of memory: building on the disk`);
    }
    await rm(join(place.folder, 'out'), { recursive: true, force: true });
  }
  await attempt(paths, engine, tag, run, 0);
}

async function attempt(
  paths: StatePaths,
  engine: Engine,
  tag: string,
  { image, place, log, signal }: BuilderRun,
  treeBytes: number,
): Promise<void> {
  const { container, name, folder: own } = place;
  log.beginAttempt();
  let step = 'packages';
  let stated: BuilderStopped['stated'];
  const onOutput = (line: string): void => {
    const [, word, rest = ''] = /^@@(step|failed) (.*)$/.exec(line) ?? [];
    log.add(line);
    if (word === 'failed') {
      const [, type = '', subject = ''] = /^(\S+) (.*)$/.exec(rest) ?? [];
      stated = { type, subject };
    } else if (word === 'step') {
      step = rest;
      reportProgress({ step: rest });
    } else reportProgress({ step, message: line });
  };
  const folders = image.repositories.flatMap(({ uri }) =>
    uri.startsWith('file://') ? [decodeURIComponent(new URL(uri).pathname)] : [],
  );
  const status = await runContainer(engine, {
    image: tag,
    name: container,
    command: ['/scripts/build.sh'],
    labels: buildLabels(paths, place),
    // mmdebstrap mounts and changes root.
    privileged: true,
    // The mirror may be one that only this host's own resolver or network reaches.
    networkMode: 'host',
    binds: [
      `${join(own, 'recipe')}:/recipe:ro`,
      `${SCRIPTS}:/scripts:ro`,
      `${own}:/job`,
      `${join(paths.cache, 'apt')}:/cache`,
      // XFS is made by the kernel, on a loop device.
      ...(image.rootFilesystem === 'xfs' ? ['/dev:/dev'] : []),
      ...(existsSync(CERTIFICATES) ? [`${CERTIFICATES}:${CERTIFICATES}:ro`] : []),
      ...[...new Set(folders)].map((path) => `${path}:${path}:ro`),
    ],
    env: {
      BUILD_NAME: container,
      RELEASE: image.release,
      LOCALE: image.locale,
      KEYBOARD: image.keyboard,
      TIMEZONE: image.timezone,
      KERNEL_PACKAGE: image.kernel.package,
      ROOT_FILESYSTEM: image.rootFilesystem,
      FILESYSTEM_UUID: filesystemUuid(name),
      SOURCE_DATE_EPOCH: String(image.sourceDateEpoch),
      TREE_BYTES: String(treeBytes),
    },
    onOutput,
    signal,
  });
  if (status !== 0) throw new BuilderStopped(status, step, stated);
}

/** apt, dpkg and coreutils all have the C library's words for ENOSPC. */
const NO_SPACE = /No space left on device/;

/** @returns whether a place to write had no room, by what the tools said */
export const isTreeFull = (log: BuildLog): boolean => log.lines.some((line) => NO_SPACE.test(line));
