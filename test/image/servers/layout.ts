/** A small OCI layout folder as any tool could have made it: config, two layers. Written here, not by our own writer. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../../../image/digest.ts';
import type { BlobDescriptor } from '../../../image/source/source.ts';
import { folderWith } from './folder.ts';

/** Larger than the pieces in which blobs are copied. */
const PACK_BYTES = (9 << 20) + 123;

/** An image and its parts. */
export interface SampleLayout {
  readonly folder: string;
  readonly digest: Digest;
  /** The long layer. */
  readonly pack: BlobDescriptor & { readonly bytes: Buffer; readonly path: string };
}

/** @param tag under which the image lies */
export function sampleLayout(tag = 'one'): SampleLayout {
  const folder = folderWith({ 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' });
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}` as const, size: bytes.length };
  };
  const bytes = randomBytes(PACK_BYTES);
  const pack = put(bytes, 'application/vnd.iguana.image.pack.v1');
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        artifactType: 'application/vnd.iguana.image.v1',
        config: put(Buffer.from('{"version":1}'), 'application/vnd.iguana.image.config.v1+json'),
        layers: [put(randomBytes(1000), 'application/vnd.iguana.image.table.v1+zstd'), pack],
      }),
    ),
    manifestType,
  );
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } }],
    }),
  );
  const { digest, size: sizeBytes } = pack;
  return {
    folder,
    digest: manifest.digest,
    pack: { digest, sizeBytes, bytes, path: join(blobs, digest.slice('sha256:'.length)) },
  };
}
