/** Manifests and configurations of images as nobody would write them: each is an image, or is refused in words. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { digestOf } from '../../../image/digest.ts';
import { BadImage } from '../../../image/format/errors.ts';
import { readImage } from '../../../image/format/read-image.ts';
import { SourceError } from '../../../image/source/errors.ts';
import { BadManifest, OCI_MANIFEST } from '../../../image/transfer/oci-manifest.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { folderWith } from '../servers/folder.ts';
import { packSample } from '../write/sample-image.ts';
import { changedSource } from './changed-source.ts';

const RUNS = 500;

const folder = folderWith();
packSample(Buffer.alloc(300_000, 7), folder);
const source = openSource([`oci:${folder}`]);
const manifest = await source.manifest();
const { config } = JSON.parse(manifest.bytes.toString());
const configuration = await source.blob({ digest: config.digest, sizeBytes: config.size });

/** Reads an image of this manifest; of this configuration, where the manifest is to name it. */
async function read(bytes: Buffer, own?: Buffer): Promise<'read' | 'refused'> {
  const descriptor = own && { ...config, digest: digestOf(own), size: own.length };
  const named = descriptor
    ? Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString()), config: descriptor }))
    : bytes;
  const changed = { bytes: named, digest: digestOf(named), mediaType: OCI_MANIFEST };
  try {
    await readImage(changedSource(source, changed, own));
    return 'read';
  } catch (error) {
    // The last: a digest may be that of nothing.
    if (error instanceof BadImage || error instanceof BadManifest || error instanceof SourceError)
      return 'refused';
    throw error;
  }
}

/** Some bytes are others. */
const spoilt = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }).map((places) => {
    const copy = Buffer.from(bytes);
    for (const [at, byte] of places) copy[at] = byte;
    return copy;
  });

/** A value somewhere in it is another one: of any kind, or a number at the edge of what is counted. */
const replaced = (bytes: Buffer): fc.Arbitrary<Buffer> => {
  const text = bytes.toString();
  const values = [...text.matchAll(/(?<=:)(?:"[^"]*"|\d+)/g)].map(({ 0: { length }, index }) => ({
    index,
    length,
  }));
  const edges = fc.constantFrom(
    '-1',
    '0',
    '0.5',
    '1e308',
    '9007199254740991',
    '9007199254740992',
    '[]',
    '{}',
  );
  return fc
    .tuple(fc.constantFrom(...values), fc.oneof(edges, fc.string(), fc.json()))
    .map(([{ index, length }, other]) =>
      Buffer.from(text.slice(0, index) + other + text.slice(index + length)),
    );
};

const changes = (bytes: Buffer) => fc.oneof(spoilt(bytes), replaced(bytes), fc.json().map(Buffer.from));

it('as it was, it is read', async () => {
  expect(await read(manifest.bytes)).toBe('read');
  expect(await read(manifest.bytes, configuration)).toBe('read');
});

it('a manifest with anything in it is an image, or refused', async () => {
  await fc.assert(
    fc.asyncProperty(changes(manifest.bytes), async (bytes) => {
      await read(bytes);
    }),
    { numRuns: RUNS },
  );
});

it('a configuration with anything in it is an image, or refused', async () => {
  await fc.assert(
    fc.asyncProperty(changes(configuration), async (bytes) => {
      await read(manifest.bytes, bytes);
    }),
    { numRuns: RUNS },
  );
});
