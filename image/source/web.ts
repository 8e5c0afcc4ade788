/** An OCI layout folder on a plain web server. */
import type { Digest } from '../digest.ts';
import { OCI_MANIFEST } from '../transfer/oci-manifest.ts';
import { blobTask, checkDigest, readBlob, readRange } from './blob-read.ts';
import { rangeTask, type Task } from './errors.ts';
import { HttpClient, type HttpOptions } from './http.ts';
import type { HttpAnswer } from './http-answer.ts';
import { chooseEntry, type IndexEntry, MAX_INDEX_BYTES, parseIndexJson, taggedEntry } from './index-json.ts';
import { PlainRanges } from './plain-ranges.ts';
import { formatReference, type WebReference } from './reference.ts';
import type { BlobDescriptor, ImageSource, ManifestBytes, RangeOptions } from './source.ts';

/** Reads from a web server. Every call asks once: trying again is for `MirroredSource`. */
export class WebSource implements ImageSource {
  readonly name: string;
  readonly #reference: WebReference;
  readonly #http: HttpClient;
  readonly #plain: PlainRanges | undefined;
  readonly #authorization: string | undefined;

  constructor(reference: WebReference, options: HttpOptions = {}) {
    this.#reference = reference;
    this.name = formatReference(reference);
    const { host, protocol } = new URL(reference.url);
    this.#http = new HttpClient(host, options);
    if (protocol === 'http:') this.#plain = new PlainRanges(options);
    const { credentials } = reference;
    this.#authorization =
      credentials &&
      `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
  }

  async manifest(signal?: AbortSignal): Promise<ManifestBytes> {
    const { tag, digest } = this.#reference;
    // Its name says where it lies: a store of images that is served has no index.
    if (digest !== undefined && tag === undefined) return await this.#manifestAt(digest, signal);
    const { task, entries } = await this.#index(signal);
    return await this.#manifestOf(chooseEntry(task, entries, this.#reference), signal);
  }

  async attached(tag: string, signal?: AbortSignal): Promise<ManifestBytes | undefined> {
    const { entries } = await this.#index(signal);
    const entry = taggedEntry(entries, tag);
    return entry && (await this.#manifestOf(entry, signal));
  }

  async blob(blob: BlobDescriptor, signal?: AbortSignal): Promise<Buffer> {
    const task = blobTask(this.name, blob);
    const plain = await this.#whole(task, { path: pathOf(blob), signal }, blob.sizeBytes);
    if (plain?.length === blob.sizeBytes) {
      checkDigest(task, plain, blob.digest);
      return plain;
    }
    return await readBlob(this.name, blob, (asked, headers) =>
      this.#get(asked, { path: pathOf(blob), headers, signal }),
    );
  }

  async range(
    blob: BlobDescriptor,
    offset: number,
    length: number,
    { signal, allocate }: RangeOptions = {},
  ): Promise<Buffer> {
    const isWithin = offset >= 0 && length > 0 && offset + length <= blob.sizeBytes;
    const plain =
      isWithin &&
      (await this.#plain?.range(rangeTask(this.name, blob.digest, offset, length), {
        url: this.#url(pathOf(blob)),
        authorization: this.#authorization,
        first: offset,
        length,
        sizeBytes: blob.sizeBytes,
        signal,
        allocate,
      }));
    if (plain) return plain;
    return await readRange(this.name, { blob, offset, length }, (task, headers) =>
      this.#get(task, { path: pathOf(blob), headers, signal }),
    );
  }

  reject(): boolean {
    return false;
  }

  async close(): Promise<void> {
    this.#plain?.close();
    await this.#http.close();
  }

  /** Read each time: a folder on a web server may be replaced by a newer one. */
  async #index(signal: AbortSignal | undefined): Promise<{ task: Task; entries: readonly IndexEntry[] }> {
    const task: Task = { doing: 'reading index.json', source: this.name };
    return { task, entries: parseIndexJson(task, await this.#file(task, { path: 'index.json', signal })) };
  }

  async #manifestAt(digest: Digest, signal: AbortSignal | undefined): Promise<ManifestBytes> {
    const task: Task = { doing: `reading the manifest ${digest}`, source: this.name, blob: digest };
    const path = pathOf({ digest, sizeBytes: 0 });
    const bytes = await this.#file(task, { path, signal });
    checkDigest(task, bytes, digest);
    return { bytes, digest, mediaType: OCI_MANIFEST };
  }

  async #manifestOf({ digest, size, mediaType }: IndexEntry, signal?: AbortSignal): Promise<ManifestBytes> {
    return { bytes: await this.blob({ digest, sizeBytes: size }, signal), digest, mediaType };
  }

  /** A file of unknown size, bounded as an index and a manifest are. */
  async #file(task: Task, wanted: { path: string; signal: AbortSignal | undefined }): Promise<Buffer> {
    const plain = await this.#whole(task, wanted, MAX_INDEX_BYTES);
    if (plain) return plain;
    const answer = await this.#get(task, { ...wanted, headers: {} });
    if (answer.status !== 200) throw await answer.failure();
    return await answer.atMost(MAX_INDEX_BYTES);
  }

  /** @returns undefined where it has to be asked for in the general way */
  async #whole(
    task: Task,
    { path, signal }: { path: string; signal: AbortSignal | undefined },
    maxBytes: number,
  ): Promise<Buffer | undefined> {
    const file = { url: this.#url(path), authorization: this.#authorization, signal };
    return await this.#plain?.whole(task, file, maxBytes);
  }

  #url(path: string): URL {
    return new URL(path, this.#reference.url);
  }

  #get(
    task: Task,
    {
      path,
      ...rest
    }: { path: string; headers: Readonly<Record<string, string>>; signal: AbortSignal | undefined },
  ): Promise<HttpAnswer> {
    return this.#http.send(task, {
      method: 'GET',
      url: this.#url(path),
      authorization: this.#authorization,
      ...rest,
    });
  }
}

const pathOf = ({ digest }: BlobDescriptor): string => `blobs/${digest.replace(':', '/')}`;
