/** The Temporal CLI built by Go from a pinned module; Go checks every module against `build/go.sum`. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { findExecutable } from '../find-executable.ts';
import type { Obtain } from './download.ts';

const MODULE = fileURLToPath(new URL('build', import.meta.url));
const CLI_PACKAGE = 'github.com/temporalio/cli';

/**
 * Builds the program.
 * @throws Error where there is no Go, or the build fails, with the end of what Go says
 */
export async function buildTemporal({ version, target, say }: Obtain): Promise<void> {
  const go = await findExecutable('go', { PATH: `${process.env.PATH ?? ''}:/usr/local/go/bin` });
  if (!go) throw new Error('building the Temporal CLI: Go is not installed');
  say(`building the Temporal CLI ${version} with Go: three to five minutes, once`);
  await mkdir(dirname(target), { recursive: true });
  const temporary = join(dirname(target), `.temporal.${process.pid}`);
  const stamp = `-s -w -X ${CLI_PACKAGE}/temporalcli.Version=${version}`;
  try {
    await execa(
      go,
      [
        'build',
        '-mod=readonly',
        '-trimpath',
        '-ldflags',
        stamp,
        '-o',
        temporary,
        `${CLI_PACKAGE}/cmd/temporal`,
      ],
      { cwd: MODULE, env: { CGO_ENABLED: '0' }, all: true },
    );
    await rename(temporary, target);
  } catch (cause) {
    const said =
      cause instanceof Error && 'all' in cause ? String(cause.all).split('\n').slice(-5).join('\n') : '';
    throw new Error(`building the Temporal CLI ${version} with ${go}: ${said || String(cause)}`, { cause });
  } finally {
    await rm(temporary, { force: true });
  }
}
