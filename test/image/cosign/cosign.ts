/** cosign itself, the judge of signatures: built once by Go from a pinned module, three minutes on two cores. */
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { findExecutable } from '../../../host/find-executable.ts';
import { withLock } from '../../../host/lock.ts';
import { statePaths } from '../../../host/state.ts';

const VERSION = '2.6.5';
const PACKAGE = 'github.com/sigstore/cosign/v2/cmd/cosign';
const MODULE = fileURLToPath(new URL('.', import.meta.url));

/** Runs cosign; whether it succeeded is for the test to judge. */
export type Cosign = (
  args: readonly string[],
  options?: { env?: Readonly<Record<string, string>>; cwd?: string },
) => Promise<{ readonly exitCode: number | undefined; readonly said: string }>;

/** Gets cosign from the cache, or builds it there. */
export async function cosign(): Promise<Cosign> {
  const program = join(statePaths().cache, 'cosign', VERSION, 'cosign');
  await withLock(`${program}.lock`, async () => {
    const isThere = await access(program).then(
      () => true,
      () => false,
    );
    if (!isThere) await build(program);
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

async function build(program: string): Promise<void> {
  const go = await findExecutable('go', { PATH: `${process.env.PATH ?? ''}:/usr/local/go/bin` });
  if (!go) throw new Error('building cosign for the tests: Go is not installed');
  await mkdir(join(program, '..'), { recursive: true });
  await execa(
    go,
    ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', `${program}.new`, PACKAGE],
    {
      cwd: MODULE,
      env: { CGO_ENABLED: '0' },
    },
  );
  await rename(`${program}.new`, program);
}
