/** The launcher, as people start it: from anywhere, through a link, by a user who is not root, with any Node or none. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('../../', import.meta.url));
const USER = `iguana-test-${process.pid}`;
const SUDOERS = `/etc/sudoers.d/${USER}`;
/** A PATH without any Node of the person's own. */
const PATH = '/usr/bin:/bin';
let folder: string;
/** The sources at a place that the user can reach, wherever they really are. */
let clone: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-launcher-'));
  await chmod(folder, 0o755);
  clone = join(folder, 'clone');
  await mkdir(clone);
  await run('mount', ['--bind', SOURCES, clone]);
  await run('useradd', ['--system', '--home-dir', folder, '--shell', '/bin/sh', USER]);
  await writeFile(SUDOERS, `${USER} ALL=(ALL) NOPASSWD: ALL\n`, { mode: 0o440 });
  await mkdir(join(folder, 'bin'));
  await symlink(join(clone, 'iguana'), join(folder, 'bin/iguana'));
});
afterAll(async () => {
  await rm(SUDOERS, { force: true });
  await run('userdel', [USER]);
  await run('umount', [clone]);
  await rmdir(clone);
  await rm(folder, { recursive: true });
});

/** Starts a program as the user, in the root folder. */
async function asUser(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return await run(
    'setpriv',
    [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'env', '-i', ...settings(env), command, ...args],
    { cwd: '/' },
  );
}

const settings = (env: NodeJS.ProcessEnv): string[] =>
  Object.entries({ PATH, HOME: folder, ...env }).map(([name, value]) => `${name}=${value}`);

test('what only reads and computes runs without root, through a link, from anywhere', async () => {
  const { stdout, stderr } = await asUser(join(folder, 'bin/iguana'), ['--help']);
  expect(stdout).toMatch(/Usage: iguana/);
  expect(stderr).toBe('');
});

test('what needs root continues through sudo, says so, and keeps its settings', async () => {
  const state = join(folder, 'state');
  const failure = asUser(join(clone, 'iguana'), ['status', '--output', 'json'], { IGUANA_STATE: state });
  const { stdout, stderr } = await failure.catch((error: { stdout: string; stderr: string }) => error);
  expect(stderr).toMatch(/continuing as root through sudo/);
  // No server runs for this state folder, and the command, as root, looked into that one.
  expect(stdout + stderr).toContain(state);
});

test('without sudo it says what to do', async () => {
  const bin = join(folder, 'no-sudo');
  await mkdir(bin);
  const tools = ['sh', 'env', 'readlink', 'dirname', 'id', 'cmp', 'sed', 'paste', 'flock', 'cat'];
  for (const tool of tools) await symlink(`/usr/bin/${tool}`, join(bin, tool));
  const failure = asUser(join(clone, 'iguana'), ['status'], { PATH: bin });
  await expect(failure).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/become root, or install sudo/),
  });
});
