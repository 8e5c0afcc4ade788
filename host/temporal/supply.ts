/** Where the Temporal CLI, which holds the embedded server, comes from. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findExecutable } from '../find-executable.ts';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import { buildTemporal } from './build.ts';
import { downloadTemporal } from './download.ts';

/** The version of the CLI that Iguana is tested with; it holds server 1.29.1. */
export const TEMPORAL_CLI_VERSION = '1.5.1';

/** The oldest server that Iguana works with: updates and search attributes of its SQLite store are as expected from here on. */
const OLDEST_SERVER = [1, 29] as const;

/** A Temporal CLI that answers. */
export interface TemporalCli {
  readonly path: string;
  /** What `temporal --version` says, e.g. `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
  readonly version: string;
  readonly source: 'IGUANA_TEMPORAL' | 'PATH' | 'cache';
}

/** No Temporal CLI could be had; the message says what was tried and what to do. */
export class TemporalMissing extends Error {
  override readonly name = 'TemporalMissing';
}

/** @returns where the cache keeps the CLI of this version */
export const cachedTemporal = (paths: StatePaths): string =>
  join(paths.cache, 'temporal', TEMPORAL_CLI_VERSION, 'temporal');

/**
 * The Temporal CLI that is here already: `IGUANA_TEMPORAL`, the PATH, or the cache.
 * @returns undefined where none is
 * @throws TemporalMissing where `IGUANA_TEMPORAL` names something that does not answer
 */
export async function findTemporal(
  paths: StatePaths,
  env: NodeJS.ProcessEnv = process.env,
): Promise<TemporalCli | undefined> {
  const named = env.IGUANA_TEMPORAL;
  if (named) {
    const version = await versionOf(named);
    if (version) return { path: named, version, source: 'IGUANA_TEMPORAL' };
    throw new TemporalMissing(
      `asking ${named}, which IGUANA_TEMPORAL names, for its version: it does not answer. Correct or unset IGUANA_TEMPORAL`,
    );
  }
  const onPath = await findExecutable('temporal', env);
  const pathVersion = onPath && (await versionOf(onPath));
  if (onPath && pathVersion && isNewEnough(pathVersion)) {
    return { path: onPath, version: pathVersion, source: 'PATH' };
  }
  const cached = cachedTemporal(paths);
  const version = await versionOf(cached);
  return version ? { path: cached, version, source: 'cache' } : undefined;
}

/**
 * The Temporal CLI, fetched or built when it is not here: the official release where it can be downloaded, else a build of
 * the pinned module by Go, which takes minutes.
 * @param say gets lines for people
 * @throws TemporalMissing with everything that was tried
 */
export async function supplyTemporal(paths: StatePaths, say: (line: string) => void): Promise<TemporalCli> {
  const found = await findTemporal(paths);
  if (found) return found;
  return await withLock(
    join(paths.cache, 'temporal/lock'),
    async () => (await findTemporal(paths)) ?? (await obtain(paths, say)),
    () => say('waiting for another process that gets Temporal'),
  );
}

async function obtain(paths: StatePaths, say: (line: string) => void): Promise<TemporalCli> {
  const target = cachedTemporal(paths);
  const failures: Error[] = [];
  for (const attempt of [downloadTemporal, buildTemporal]) {
    try {
      await attempt({ version: TEMPORAL_CLI_VERSION, target, say });
      const version = await versionOf(target);
      if (!version) throw new Error(`asking ${target} for its version: it does not answer`);
      return { path: target, version, source: 'cache' };
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
      say(`not possible: ${failures.at(-1)?.message}`);
    }
  }
  throw new TemporalMissing(
    `getting the Temporal CLI ${TEMPORAL_CLI_VERSION}: ${failures.map(({ message }) => message).join('; ')}. ` +
      'Install it (docs.temporal.io/cli) and put it on the PATH or name it in IGUANA_TEMPORAL, or install Go',
    { cause: new AggregateError(failures) },
  );
}

/** @returns undefined where the program is missing or is no Temporal CLI */
async function versionOf(path: string): Promise<string | undefined> {
  const executable = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!executable) return undefined;
  const { stdout, failed } = await execa(path, ['--version'], { reject: false, timeout: 20_000 });
  return !failed && stdout.startsWith('temporal version') ? stdout.trim() : undefined;
}

function isNewEnough(version: string): boolean {
  const server = /Server (\d+)\.(\d+)/.exec(version);
  if (!server) return false;
  const [major, minor] = [Number(server[1]), Number(server[2])];
  return major > OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor >= OLDEST_SERVER[1]);
}
