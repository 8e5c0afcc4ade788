/** `iguana image write` as people use it: consent, trust, going on, and what a disk is remembered to hold. */
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { CommandLine } from '../../client/command.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { packSample } from './sample-image.ts';
import { bytesOf, sha256, sha256sum } from './writing.ts';

const MIB = 2 ** 20;
const RAW = bytesOf('abc0def0gh');
const IMAGE = packSample(RAW, folderWith());
const REFERENCE = `oci:${IMAGE.folder}:latest`;

const publicKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey;
const KEYS = folderWith({ 'cosign.pub': publicKey.export({ type: 'spki', format: 'pem' }).toString() });

/** One with a state folder of its own. */
const commandLine = (): CommandLine => new CommandLine();

/** An empty disk image. */
function emptyDisk(bytes = RAW.length): string {
  const path = join(folderWith(), 'disk.img');
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

describe('an image', () => {
  it('is written from a mirror where the first place is down', async () => {
    const { url } = await startNginx(IMAGE.folder);
    const down = await startNginx(IMAGE.folder, { location: 'return 503;' });
    const disk = emptyDisk();
    const args = ['image', 'write', down.url, disk, '--mirror', url, '--unsigned'];
    expect(await commandLine().run(args)).toMatchObject({ status: 0 });
    expect(await sha256sum(disk)).toBe(sha256(RAW));
  });
});

describe('nothing is touched', () => {
  const refusals: readonly (readonly [string, () => string[], number, RegExp])[] = [
    ['where nobody is named who must have signed', () => [], 2, /--key, or say --unsigned/],
    [
      'where the image is not signed',
      () => ['--key', join(KEYS, 'cosign.pub')],
      1,
      /not signed|no signature/i,
    ],
    [
      'where the disk holds data, and nobody has agreed',
      () => ['--unsigned'],
      1,
      /it holds data.*\n?.*--yes/s,
    ],
    ['where there is no such part', () => ['--unsigned', '--yes', '--part', 'root'], 2, /no part root/],
  ];

  it.each(refusals)('%s', async (_, args, status, message) => {
    // Data that neither begins the disk nor ends it.
    const disk = emptyDisk(64 * MIB);
    const bytes = readFileSync(disk);
    bytes.fill('somebody misses this', 8 * MIB, 40 * MIB);
    writeFileSync(disk, bytes);
    const said = await commandLine().run(['image', 'write', REFERENCE, disk, ...args()]);
    expect(said).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
    expect(readFileSync(disk).equals(bytes)).toBe(true);
  });

  it('on a disk that is mounted', async () => {
    const file = emptyDisk(64 * MIB);
    await execa('mkfs.ext4', ['-q', '-F', file]);
    const device = await loopDevice(file);
    const at = folderWith();
    await execa('mount', [device, at]);
    try {
      const args = ['image', 'write', REFERENCE, device, '--unsigned', '--yes'];
      expect(await commandLine().run(args)).toMatchObject({ status: 1, stderr: /in use/ });
    } finally {
      await execa('umount', [at]);
    }
    await execa('fsck.ext4', ['-fn', file]);
  });

  it('on a disk that is too small', async () => {
    const disk = emptyDisk(RAW.length - 1);
    const args = ['image', 'write', REFERENCE, disk, '--unsigned', '--yes'];
    expect(await commandLine().run(args)).toMatchObject({ status: 2, stderr: /too small/ });
  });
});

it('killed, it goes on with the same command, without being asked again', async () => {
  const iguana = commandLine();
  const { url } = await startNginx(IMAGE.folder, { location: 'limit_rate 512k;' });
  const disk = emptyDisk();
  const killed = iguana.start(['image', 'write', url, disk, '--unsigned']);
  // Until something other than the erased start is on the disk.
  while (!readFileSync(disk).subarray(MIB).some(Boolean)) await sleep(20);
  await sleep(300);
  killed.kill('SIGKILL');
  await killed;
  expect(await sha256sum(disk)).not.toBe(sha256(RAW));
  const { status, documents } = await iguana.json(['image', 'write', url, disk, '--unsigned']);
  expect({ status, documents }).toMatchObject({ status: 0, documents: [{ kept: expect.any(Number) }] });
  expect(documents[0]).not.toMatchObject({ kept: 0 });
  expect(await sha256sum(disk)).toBe(sha256(RAW));
});

it('of the next image, only what the disk does not hold is fetched', async () => {
  const iguana = commandLine();
  const raw = bytesOf('abc0dxf0gh');
  const next = packSample(raw, folderWith());
  const disk = emptyDisk();
  expect(await iguana.run(['image', 'write', REFERENCE, disk, '--unsigned'])).toMatchObject({ status: 0 });
  const { documents } = await iguana.json([
    ...['image', 'write', `oci:${next.folder}:latest`, disk, '--unsigned', '--yes'],
  ]);
  const [report] = documents as { fetched: number; kept: number }[];
  expect(report?.kept).toBeGreaterThan(6 * MIB);
  expect(report?.fetched).toBeLessThan((next.packs[0]?.sizeBytes ?? 0) / 4);
  expect(await sha256sum(disk)).toBe(sha256(raw));
});

describe('with --from', () => {
  interface Report {
    readonly fetched: number;
    readonly kept: number;
    readonly copied: number;
  }
  /** Of the same bytes, some at other places, and one megabyte that is new. */
  const NEXT = bytesOf('ab0hdxfcg0');
  const next = packSample(NEXT, folderWith());

  /** Onto a disk that no record tells anything of. */
  async function writeOver(disk: string, ...from: readonly string[]): Promise<Report> {
    const { status, documents } = await commandLine().json([
      ...['image', 'write', `oci:${next.folder}:latest`, disk, '--unsigned', '--yes', ...from],
    ]);
    expect(status).toBe(0);
    expect(await sha256sum(disk)).toBe(sha256(NEXT));
    return documents[0] as Report;
  }

  const diskOf = (raw: Buffer): string => {
    const disk = emptyDisk();
    writeFileSync(disk, raw);
    return disk;
  };

  it('what the disk holds of that image is kept or copied, and only the rest is fetched', async () => {
    const all = await writeOver(diskOf(RAW));
    expect(all).toMatchObject({ kept: 0, copied: 0 });
    const some = await writeOver(diskOf(RAW), '--from', REFERENCE);
    expect(some.kept).toBeGreaterThan(4 * MIB);
    expect(some.copied).toBeGreaterThan(MIB);
    expect(some.fetched).toBeLessThan(all.fetched / 4);
  });

  it('the disk is looked at, whatever the record of its last write says', async () => {
    const iguana = commandLine();
    const disk = emptyDisk();
    const other = packSample(bytesOf('mnopqrstuv'), folderWith());
    const write = ['image', 'write', `oci:${other.folder}:latest`, disk, '--unsigned'];
    expect(await iguana.run(write)).toMatchObject({ status: 0 });
    writeFileSync(disk, RAW);
    const { documents } = await iguana.json([
      ...['image', 'write', `oci:${next.folder}:latest`, disk, '--unsigned', '--yes', '--from', REFERENCE],
    ]);
    expect((documents[0] as Report).kept).toBeGreaterThan(4 * MIB);
    expect(await sha256sum(disk)).toBe(sha256(NEXT));
  });

  it('a record whose table is cut off is no record', async () => {
    const iguana = commandLine();
    const disk = emptyDisk();
    const write = ['image', 'write', REFERENCE, disk, '--unsigned', '--yes'];
    expect(await iguana.run(write)).toMatchObject({ status: 0 });
    const records = join(iguana.state, 'image-writes');
    const [table = ''] = readdirSync(records).filter((name) => name.endsWith('.table'));
    truncateSync(join(records, table), 1000);
    const { documents } = await iguana.json(write);
    expect((documents[0] as Report).kept).toBe(0);
    expect(await sha256sum(disk)).toBe(sha256(RAW));
  });

  it.each<[string, Buffer]>([
    ['something else', bytesOf('mnopqrstuv')],
    ['nothing', Buffer.alloc(RAW.length)],
    ['that image with every byte flipped', Buffer.from(RAW.map((byte) => byte ^ 255))],
  ])('of an image that the disk does not hold, but %s, it ends byte-equal', async (_what, raw) => {
    const all = await writeOver(diskOf(raw));
    const report = await writeOver(diskOf(raw), '--from', REFERENCE);
    expect(report).toMatchObject({ kept: 0, copied: 0, fetched: all.fetched });
  });

  it('of an image that is not there, nothing is touched', async () => {
    const disk = diskOf(RAW);
    const args = ['image', 'write', `oci:${next.folder}:latest`, disk, '--unsigned', '--yes'];
    const said = await commandLine().run([...args, '--from', 'oci:/nowhere']);
    expect(said).toMatchObject({ status: 1, stderr: expect.stringContaining('/nowhere') });
    expect(await sha256sum(disk)).toBe(sha256(RAW));
  });
});
