/** `iguana image write` of images that are not signed as they must be: the disk is not touched; mended, they are written. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import type { Digest } from '../../../image/digest.ts';
import { signatureTag } from '../../../image/signature/manifest.ts';
import { LayoutSource } from '../../../image/transfer/layout-source.ts';
import { CommandLine } from '../../client/command.ts';
import { folderWith } from '../servers/folder.ts';
import { noise } from './attempt.ts';
import { packSample, type SampleImage } from './sample-image.ts';
import { bytesOf, sha256, sha256sum } from './writing.ts';

const RAW = bytesOf('ab0c');
const IDENTITY = 'os/web';

const iguana = new CommandLine();

interface KeyPair {
  readonly key: string;
  readonly pub: string;
}

function keyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const folder = folderWith({ 'release.pub': publicKey.export({ type: 'spki', format: 'pem' }) });
  const key = join(folder, 'release.key');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { key, pub: join(folder, 'release.pub') };
}

const OURS = keyPair();
const THEIRS = keyPair();

const referenceOf = ({ folder }: SampleImage): string => `oci:${folder}:latest`;

async function sign(image: SampleImage, { key }: KeyPair, identity = IDENTITY): Promise<void> {
  const args = ['image', 'sign', referenceOf(image), '--key', key, '--identity', identity];
  expect(await iguana.run(args)).toMatchObject({ status: 0, stderr: '' });
}

/** Another image, signed by us: its signature lies where that of this one is looked for. */
async function takeAnotherSignature(image: SampleImage): Promise<Digest> {
  const other = packSample(bytesOf('x'), folderWith());
  await sign(other, OURS);
  const ends = [other, image].map(({ folder, digest }) => `oci:${folder}:${signatureTag(digest)}`);
  await execa('skopeo', ['copy', '--insecure-policy', ...ends]);
  return other.digest;
}

/** What was signed is not what it was. */
async function flipPayload(image: SampleImage): Promise<void> {
  await sign(image, OURS);
  const source = new LayoutSource({ kind: 'layout', folder: image.folder, tag: 'latest' });
  const manifest = await source.attached(signatureTag(image.digest));
  await source.close();
  const [{ digest }]: [{ digest: Digest }] = JSON.parse(String(manifest?.bytes)).layers;
  const path = join(image.folder, 'blobs', digest.replace(':', '/'));
  const bytes = readFileSync(path);
  bytes[50] = (bytes[50] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

const FAULTS: readonly (readonly [string, (image: SampleImage) => Promise<unknown>, string])[] = [
  ['is not signed', async () => undefined, 'it is not signed; trusted: PUB (sha256:KEY)'],
  [
    'is signed by another key',
    (image) => sign(image, THEIRS),
    'none of its 1 signature is by a trusted key; trusted: PUB (sha256:KEY)',
  ],
  [
    'has the signature of another image',
    takeAnotherSignature,
    'the signature is of something else; expected DIGEST, found FOUND; trusted: PUB (sha256:KEY)',
  ],
  [
    'is signed under another name',
    async (image) => {
      await sign(image, OURS, 'os/db');
      return 'os/db';
    },
    `the signature is of something else; expected the name ${IDENTITY}, found FOUND; trusted: PUB (sha256:KEY)`,
  ],
  ['has a flipped bit in what was signed', flipPayload, 'the digest differs; expected sha256:'],
];

it.each(FAULTS)('an image that %s', async (_, damage, why) => {
  const image = packSample(RAW, folderWith());
  const found = String(await damage(image));
  const disk = noise(RAW.length);
  const before = readFileSync(disk);
  const args = ['image', 'write', referenceOf(image), disk, '--yes'];
  const trust = ['--key', OURS.pub, '--signed-identity', IDENTITY];

  const { status, stdout, stderr } = await iguana.run([...args, ...trust]);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  const said = stderr.replaceAll('\n', ' ').replace(/\(sha256:[0-9a-f]{64}\)/, '(sha256:KEY)');
  expect(said).toContain(`from ${referenceOf(image)}: `);
  expect(said).toContain(
    why.replace('PUB', OURS.pub).replace('DIGEST', image.digest).replace('FOUND', found),
  );
  expect(readFileSync(disk).equals(before)).toBe(true);

  await sign(image, OURS);
  const { documents } = await iguana.json([...args, ...trust]);
  expect(documents).toMatchObject([
    { digest: image.digest, signer: { keyName: OURS.pub, identity: IDENTITY } },
  ]);
  expect(await sha256sum(disk)).toBe(sha256(RAW));
});

it('an image that is signed by another key is written where that key is the one to trust', async () => {
  const image = packSample(RAW, folderWith());
  await sign(image, THEIRS);
  const disk = noise(RAW.length);
  const args = ['image', 'write', referenceOf(image), disk, '--yes', '--key', OURS.pub];
  expect(await iguana.run(args)).toMatchObject({ status: 1 });
  expect(await iguana.run([...args, '--key', THEIRS.pub])).toMatchObject({ status: 0 });
  expect(await sha256sum(disk)).toBe(sha256(RAW));
});

it('a disk that is one byte too small is not touched; when it is larger, it is written', async () => {
  const image = packSample(RAW, folderWith());
  const disk = noise(RAW.length - 1);
  const before = readFileSync(disk);
  const args = ['image', 'write', referenceOf(image), disk, '--yes', '--unsigned'];
  const { status, stdout, stderr } = await iguana.run(args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(
    `writing to ${disk}: it is too small: ${RAW.length - 1} bytes, ${RAW.length} are needed`,
  );
  expect(readFileSync(disk).equals(before)).toBe(true);
  truncateSync(disk, RAW.length);
  expect(await iguana.run(args)).toMatchObject({ status: 0 });
  expect(await sha256sum(disk)).toBe(sha256(RAW));
});
