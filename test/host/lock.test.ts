/** Locks between processes: exclusive, and gone with their holder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tryLock, withLock } from '../../host/lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-lock-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('one after the other, also where one fails', async () => {
  const path = join(folder, 'new', 'lock');
  let inside = 0;
  let most = 0;
  const visit = async (fail: boolean): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
    if (fail) throw new Error('failed inside');
  };
  const all = await Promise.allSettled([1, 2, 3, 4, 5].map((n) => withLock(path, () => visit(n % 2 === 0))));
  expect(all.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(most).toBe(1);
});

test('a killed holder holds nothing; who waits is told', async () => {
  const path = join(folder, 'lock');
  const module = new URL('../../host/lock.ts', import.meta.url).href;
  const script = `import { tryLock, withLock } from '${module}';
    await withLock('${path}', async () => { console.log('held'); await new Promise(() => setInterval(() => {}, 1000)); });`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  let waited = false;
  const answer = withLock(
    path,
    async () => 'mine',
    () => {
      waited = true;
      holder.kill('SIGKILL');
    },
  );
  expect(await answer).toBe('mine');
  expect(waited).toBe(true);
});

test('is not waited for where only a try is asked for', async () => {
  const path = join(folder, 'lock');
  const lock = await tryLock(path);
  expect(await tryLock(path)).toBeUndefined();
  await lock?.release();
  const again = await tryLock(path);
  expect(again).toBeDefined();
  await again?.release();
});
