/** An image in a registry. */
import { digestOf, isDigest } from '../digest.ts';
import { checkDigest, readBlob, readRange } from '../source/blob-read.ts';
import { NotFound, type Task } from '../source/errors.ts';
import { formatReference, type RegistryReference } from '../source/reference.ts';
import type { BlobDescriptor, ImageSource, ManifestBytes, RangeOptions } from '../source/source.ts';
import { RegistryClient, type RegistryOptions } from './client.ts';

/** Registries bound manifests at this (distribution-spec, "Pushing manifests"). */
const MAX_MANIFEST_BYTES = 4 << 20;

const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
];

/** Reads from a registry. Every call asks once: trying again is for `MirroredSource`. */
export class RegistrySource implements ImageSource {
  readonly name: string;
  readonly #reference: RegistryReference;
  readonly #client: RegistryClient;

  constructor(reference: RegistryReference, options: RegistryOptions = {}) {
    this.#reference = reference;
    this.name = formatReference(reference);
    this.#client = new RegistryClient(reference, options);
  }

  async manifest(signal?: AbortSignal): Promise<ManifestBytes> {
    const { tag, digest } = this.#reference;
    const which = digest ?? tag ?? 'latest';
    const found = await findManifest(this.#client, { source: this.name, which, signal });
    if (found) return found;
    throw new NotFound({ doing: `reading the manifest ${which}`, source: this.name }, 'there is none');
  }

  async attached(tag: string, signal?: AbortSignal): Promise<ManifestBytes | undefined> {
    return await findManifest(this.#client, { source: this.name, which: tag, signal });
  }

  async blob(blob: BlobDescriptor, signal?: AbortSignal): Promise<Buffer> {
    return await readBlob(this.name, blob, (task, headers) =>
      this.#client.send(task, { method: 'GET', to: `blobs/${blob.digest}`, headers, access: 'pull', signal }),
    );
  }

  async range(
    blob: BlobDescriptor,
    offset: number,
    length: number,
    { signal }: RangeOptions = {},
  ): Promise<Buffer> {
    return await readRange(this.name, { blob, offset, length }, (task, headers) =>
      this.#client.send(task, { method: 'GET', to: `blobs/${blob.digest}`, headers, access: 'pull', signal }),
    );
  }

  reject(): boolean {
    return false;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** Which manifest is read. */
interface ManifestRequest {
  /** For messages. */
  readonly source: string;
  /** Tag or digest. */
  readonly which: string;
  readonly signal: AbortSignal | undefined;
}

/** @returns undefined where the registry has none of that name */
export async function findManifest(
  client: RegistryClient,
  { source, which, signal }: ManifestRequest,
): Promise<ManifestBytes | undefined> {
  const task: Task = { doing: `reading the manifest ${which}`, source };
  const answer = await client.send(task, {
    method: 'GET',
    to: `manifests/${which}`,
    headers: { accept: MANIFEST_TYPES.join(', ') },
    access: 'pull',
    signal,
  });
  if (answer.status === 404) {
    await answer.drain();
    return undefined;
  }
  if (answer.status !== 200) throw await answer.failure();
  const bytes = await answer.atMost(MAX_MANIFEST_BYTES);
  const digest = digestOf(bytes);
  const asked = isDigest(which) ? which : undefined;
  const header = answer.header('docker-content-digest');
  const said = isDigest(header) ? header : undefined;
  for (const expected of [asked, said]) if (expected) checkDigest(task, bytes, expected);
  return { bytes, digest, mediaType: answer.header('content-type') ?? '' };
}
