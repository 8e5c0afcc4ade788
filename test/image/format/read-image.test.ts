/** Reading images that are not what they say: each fault has its words, and none gets to a table or a pack. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../image/digest.ts';
import { BadImage } from '../../../image/format/errors.ts';
import { encodeManifest } from '../../../image/format/manifest.ts';
import { ATTACHMENT_TYPE } from '../../../image/format/media-types.ts';
import { readImage } from '../../../image/format/read-image.ts';
import type { ManifestBytes } from '../../../image/source/source.ts';
import { OCI_MANIFEST } from '../../../image/transfer/oci-manifest.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { folderWith } from '../servers/folder.ts';
import { packSample } from '../write/sample-image.ts';
import { changedSource } from './changed-source.ts';

interface Json {
  [key: string]: unknown;
}

const RAW = Buffer.concat([createHash('sha512').update('x').digest(), Buffer.alloc(300_000, 7)]);

/** Reads an image whose configuration and manifest were changed before they got their digests. */
async function readChanged(
  change: (parts: { manifest: Json & { layers: Json[] }; config: Json & { parts: Json[] } }) => void,
  raw?: (manifest: ManifestBytes) => ManifestBytes,
): Promise<unknown> {
  const folder = folderWith();
  packSample(RAW, folder);
  const source = openSource([`oci:${folder}`]);
  try {
    const manifest = JSON.parse((await source.manifest()).bytes.toString());
    const configBlob = { digest: manifest.config.digest, sizeBytes: manifest.config.size };
    const config = JSON.parse((await source.blob(configBlob)).toString());
    change({ manifest, config });
    const configBytes = Buffer.from(JSON.stringify(config));
    manifest.config = { ...manifest.config, digest: digestOf(configBytes), size: configBytes.length };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const made: ManifestBytes = { bytes, digest: digestOf(bytes), mediaType: OCI_MANIFEST };
    return await readImage(changedSource(source, raw?.(made) ?? made, configBytes));
  } finally {
    await source.close();
  }
}

it('reads an image with its tables', async () => {
  await expect(readChanged(() => undefined)).resolves.toMatchObject({
    parts: [{ name: 'disk', sizeBytes: RAW.length, chunks: { count: expect.any(Number) } }],
  });
});

describe('reads a manifest', () => {
  it.each<[string, Parameters<typeof readChanged>[0]]>([
    ['whose layers are in another order', ({ manifest }) => manifest.layers.reverse()],
    ['that names layers twice', ({ manifest }) => manifest.layers.push(...manifest.layers)],
    [
      'with layers that no part needs',
      ({ manifest }) => {
        const [table, pack] = manifest.layers;
        manifest.layers.push(
          { ...table, digest: digestOf('a'), size: 1 },
          { ...pack, digest: digestOf('b'), size: 2 },
          { mediaType: ATTACHMENT_TYPE, digest: digestOf('c'), size: 3 },
        );
      },
    ],
    ['without its own media type', ({ manifest }) => Reflect.deleteProperty(manifest, 'mediaType')],
    [
      'with further fields',
      ({ manifest }) => {
        const subject = { mediaType: OCI_MANIFEST, digest: digestOf('x'), size: 1 };
        Object.assign(manifest, { annotations: { 'org.example': 'x' }, subject, other: [1] });
        Object.assign(manifest.layers[0] ?? {}, { annotations: { 'org.example': 'x' }, urls: [] });
      },
    ],
    [
      'that names the table of two parts once',
      ({ config }) => config.parts.push({ ...config.parts[0], name: 'copy' }),
    ],
  ])('%s', async (_what, change) => {
    await expect(readChanged(change)).resolves.toMatchObject({
      parts: expect.arrayContaining([expect.objectContaining({ sizeBytes: RAW.length })]),
    });
  });
});

describe('refuses', () => {
  const other = digestOf('other');
  it.each<[string, Parameters<typeof readChanged>[0], RegExp]>([
    [
      'another kind of artifact',
      ({ manifest }) => Object.assign(manifest, { artifactType: 'x/y' }),
      /something else than an Iguana image: expected .*found x\/y/,
    ],
    [
      'a container image',
      ({ manifest }) => Reflect.deleteProperty(manifest, 'artifactType'),
      /something else than an Iguana image/,
    ],
    [
      'another kind of configuration',
      ({ manifest }) => Object.assign(manifest.config as Json, { mediaType: 'application/json' }),
      /something else than an Iguana image/,
    ],
    [
      'a manifest of another media type',
      ({ manifest }) => Object.assign(manifest, { mediaType: 'application/json' }),
      /it is no OCI image manifest/,
    ],
    [
      'a layer of another kind',
      ({ manifest }) => manifest.layers.push({ mediaType: 'a/b', digest: other, size: 1 }),
      /a layer of another kind, found a\/b|layer of another kind: found|a layer of another kind/,
    ],
    [
      'a manifest without layers',
      ({ manifest }) => Reflect.deleteProperty(manifest, 'layers'),
      /it is no OCI image manifest/,
    ],
    [
      'a digest that is none',
      ({ manifest }) => Object.assign(manifest.layers[0] ?? {}, { digest: 'sha256:../../etc/passwd' }),
      /it is no OCI image manifest/,
    ],
    ['a newer version', ({ config }) => Object.assign(config, { version: 2 }), /of a newer version/],
    [
      'a part with a path as its name',
      ({ config }) => Object.assign(config.parts[0] ?? {}, { name: '../root' }),
      /no configuration of an Iguana image/,
    ],
    [
      'two parts of one name',
      ({ config }) => config.parts.push(config.parts[0] ?? {}),
      /two parts are called disk/,
    ],
    [
      'two attachments of one name',
      ({ config }) => {
        const attachment = { name: 'esp', digest: other, sizeBytes: 1 };
        Object.assign(config, { attachments: [attachment, attachment] });
      },
      /two attachments are called esp/,
    ],
    [
      'an attachment that is no layer',
      ({ config }) => Object.assign(config, { attachments: [{ name: 'esp', digest: other, sizeBytes: 1 }] }),
      /the attachment esp is not a layer of the manifest/,
    ],
    [
      'a part of another size',
      ({ config }) => Object.assign(config.parts[0] ?? {}, { sizeBytes: 5 }),
      /another size of the part/,
    ],
    [
      'a part of no bytes',
      ({ config }) => Object.assign(config.parts[0] ?? {}, { sizeBytes: 0 }),
      /no configuration/,
    ],
    [
      'a part of impossible size',
      ({ config }) => Object.assign(config.parts[0] ?? {}, { sizeBytes: 2 ** 60 }),
      /no configuration/,
    ],
    [
      'other data than there is',
      ({ config }) => Object.assign(config.parts[0] ?? {}, { dataBytes: 5 }),
      /another amount of data/,
    ],
    [
      'a table that the manifest does not name',
      ({ manifest }) => manifest.layers.shift(),
      /the chunk table of disk is not a layer/,
    ],
    [
      'a pack that the manifest does not name',
      ({ manifest }) => manifest.layers.pop(),
      /names a pack that is not a layer/,
    ],
    [
      'a pack of another size',
      ({ manifest }) => Object.assign(manifest.layers.at(-1) ?? {}, { size: 1 }),
      /names a pack that is not a layer/,
    ],
    [
      'a table that would fill the memory',
      ({ manifest, config }) => {
        Object.assign(manifest.layers[0] ?? {}, { size: 2 ** 40 });
        Object.assign((config.parts[0] as Json).table as Json, { sizeBytes: 2 ** 40 });
      },
      /the chunk table of disk is too large: expected at most/,
    ],
    [
      'tables that would fill the memory together',
      ({ config }) => {
        const [part] = config.parts as (Json & { table: Json })[];
        config.parts = Array.from({ length: 100 }, (_, index) => ({
          ...part,
          name: `disk${index}`,
          table: { ...part?.table, rawBytes: 2 ** 21 },
        }));
      },
      /its chunk tables are too large together: expected at most \d+, found 209715200/,
    ],
  ])('%s', async (_what, change, message) => {
    await expect(readChanged(change)).rejects.toThrow(message);
  });

  it.each<[string, Json, RegExp]>([
    [
      'a whole disk with a filesystem',
      { filesystem: 'ext4' },
      /parts\[0\]\.filesystem: a disk has no filesystem$/,
    ],
    [
      'a filesystem without a name',
      { kind: 'partition', filesystem: '' },
      /parts\[0\]\.filesystem: it has to be text of 1 to 32 characters$/,
    ],
    ['a field of another version', { colour: 'red' }, /parts\[0\]: it must not have a field `colour`$/],
    [
      'a name that is too long',
      { name: 'x'.repeat(65) },
      /parts\[0\]\.name: it has to be text like \/\^.*\$\/$/,
    ],
  ])('%s, and says which field', async (_what, fields, message) => {
    const error = await readChanged(({ config }) => Object.assign(config.parts[0] ?? {}, fields)).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(BadImage);
    expect(String(error)).toMatch(/it is no configuration of an Iguana image/);
    expect(String((error as BadImage).cause)).toMatch(message);
  });

  it('a manifest and a configuration that would fill the memory, before they are parsed', async () => {
    const large = (made: ManifestBytes) => ({
      ...made,
      bytes: Buffer.concat([made.bytes, Buffer.alloc(5 << 20, 32)]),
    });
    await expect(readChanged(() => undefined, large)).rejects.toThrow(/its manifest is too large/);
    const name = 'x'.repeat(2 ** 21);
    await expect(readChanged(({ config }) => Object.assign(config, { name }))).rejects.toThrow(
      /configuration is too large/,
    );
  });

  it('with the class of the format, which keeps expected and found', async () => {
    const error = await readChanged(({ manifest }) => Object.assign(manifest, { artifactType: 'x/y' })).catch(
      (e) => e,
    );
    expect(error).toBeInstanceOf(BadImage);
    expect(error).toMatchObject({ expected: 'application/vnd.iguana.image.v1', found: 'x/y' });
  });
});

it('writes the same manifest for the same blobs', () => {
  const blob = { digest: digestOf('a'), sizeBytes: 1 };
  const blobs = { config: blob, tables: [blob], attachments: [blob], packs: [blob] };
  expect(encodeManifest(blobs)).toEqual(encodeManifest(blobs));
});
