/** Programs that judge ours and are in no Debian: built by Go from modules whose versions and checksums are in these sources. */
import { access, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { findExecutable } from '../../host/find-executable.ts';
import { withLock } from '../../host/lock.ts';
import { statePaths } from '../../host/state.ts';

/** A program of a Go module. */
export interface GoTool {
  readonly name: string;
  readonly version: string;
  /** Path of its package. */
  readonly package: string;
  /** Folder with the `go.mod` and `go.sum` that pin it. */
  readonly module: string;
}

/** Runs the program; whether it succeeded is for the test to judge. */
export type RunTool = (
  args: readonly string[],
  options?: { env?: Readonly<Record<string, string>>; cwd?: string },
) => Promise<{ readonly exitCode: number | undefined; readonly said: string }>;

/** Gets a program from the cache, or builds it there. */
export async function goTool(tool: GoTool): Promise<RunTool> {
  const program = join(statePaths().cache, tool.name, tool.version, tool.name);
  await withLock(`${program}.lock`, async () => {
    const isThere = await access(program).then(
      () => true,
      () => false,
    );
    if (!isThere) await build(tool, program);
  });
  return async (args, options = {}) => {
    const { exitCode, all } = await execa(program, args, {
      reject: false,
      all: true,
      stdin: 'ignore',
      ...options,
    });
    return { exitCode, said: all };
  };
}

async function build(tool: GoTool, program: string): Promise<void> {
  const go = await findExecutable('go', { PATH: `${process.env.PATH ?? ''}:/usr/local/go/bin` });
  if (!go) throw new Error(`building ${tool.name} for the tests: Go is not installed`);
  await mkdir(dirname(program), { recursive: true });
  const output = ['-trimpath', '-ldflags', '-s -w', '-o', `${program}.new`];
  await execa(go, ['build', '-mod=readonly', ...output, tool.package], {
    cwd: tool.module,
    env: { CGO_ENABLED: '0' },
  });
  await rename(`${program}.new`, program);
}
