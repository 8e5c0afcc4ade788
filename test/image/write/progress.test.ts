/** What a write tells while it goes on: by the library, and by the command where nobody sits at a terminal. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CommandLine } from '../../client/command.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { packSample } from './sample-image.ts';
import { bytesOf, writeInChild } from './writing.ts';

const MIB = 1 << 20;
/** Of the newer one `b` is kept, `c` has moved, and most of it is new. */
const OLDER = packSample(bytesOf('abcdefghijkl'), folderWith());
const NEWER = packSample(bytesOf('abxc00qrstuvwyz'), folderWith());

/** A disk with the older image, and noise behind it. */
function diskWithOlder(): string {
  const target = join(folderWith(), 'disk');
  writeFileSync(target, Buffer.concat([OLDER.raw, randomBytes(NEWER.raw.length - OLDER.raw.length)]));
  return target;
}

it('tells bytes fetched, written, reused and skipped, rate and time left', async () => {
  const { url } = await startNginx(NEWER.folder, { location: 'limit_rate 1m;' });
  const held = `oci:${OLDER.folder}`;
  const { progress, report } = await writeInChild({ reference: url, held, target: diskWithOlder() });
  const writing = progress.filter(({ phase }) => phase === 'writing');
  const last = writing.at(-1);
  if (!last || !report) throw new Error('nothing was told');
  const { fetched, written, kept, copied, zeros } = report;
  expect(last).toMatchObject({ fetched, written, kept, copied, zeros, secondsLeft: 0 });
  expect(last.doneBytes).toBe(last.totalBytes);
  expect({ copied, zeros }).toEqual({ copied: MIB, zeros: 2 * MIB });
  for (const field of ['fetched', 'written', 'kept', 'doneBytes'] as const) {
    const told = writing.map((each) => each[field]);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(new Set(told).size).toBeGreaterThan(1);
  }
  const onTheWay = writing.filter(({ doneBytes, totalBytes }) => doneBytes < totalBytes);
  expect(
    onTheWay.some(({ bytesPerSecond, secondsLeft }) => bytesPerSecond > 0 && (secondsLeft ?? 0) > 0),
  ).toBe(true);
});

it('by the command: all of it in lines on standard error, and in the result', async () => {
  const { url } = await startNginx(NEWER.folder, { location: 'limit_rate 100k;' });
  const args = ['image', 'write', url, diskWithOlder(), '--from', `oci:${OLDER.folder}`];
  const said = await new CommandLine().run([...args, '--unsigned', '--yes', '--output', 'json']);
  expect(said).toMatchObject({ status: 0 });
  const line =
    /^writing \S+: \d+ %, \S+ MiB of 13\.0 MiB, \S+ .?i?B\/s, .+ left; fetched \S+ .iB, written \S+ .iB, reused \S+ .iB, zeros \S+ M?i?B$/m;
  expect(said.stderr).toMatch(line);
  expect(JSON.parse(said.stdout)).toMatchObject({
    fetched: expect.any(Number),
    written: expect.any(Number),
    copied: MIB,
    zeros: 2 * MIB,
    seconds: expect.any(Number),
    direct: true,
  });
});

it('by the command, at a terminal of 80 columns: rate and time left', async () => {
  const { url } = await startNginx(NEWER.folder, { location: 'limit_rate 1m;' });
  const file = join(folderWith(), 'disk');
  writeFileSync(file, Buffer.alloc(NEWER.raw.length));
  const disk = await loopDevice(file);
  const { stdout } = await new CommandLine().atTerminal(
    ['image', 'write', url, disk, '--unsigned', '--no-read-back'],
    { asked: 'nothing is asked', answer: '' },
  );
  expect(stdout).toMatch(
    /writing \/dev\/loop\d+ {2}\d+ % {2}\S+ MiB of 13\.0 MiB {2}\S+ .?i?B\/s {2}\S+ s left/,
  );
});
