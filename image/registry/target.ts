/** A registry's repository that takes an image (distribution-spec v1.1, "Push"). */
import { Readable } from 'node:stream';
import type { Digest } from '../digest.ts';
import { type Task, UnexpectedAnswer, WrongContent } from '../source/errors.ts';
import { formatReference, placeOf, type RegistryReference } from '../source/reference.ts';
import { withRetries } from '../source/retry.ts';
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';
import type { ImageTarget } from '../transfer/target.ts';
import { RegistryClient, type RegistryOptions } from './client.ts';
import { findManifest } from './source.ts';

/** A registry hashes a pushed blob, and often copies it to its store, before it answers. */
const COMMIT_TIMEOUT_MS = 600_000;

/** How to push. */
export interface PushOptions extends RegistryOptions {
  /** Another repository of the same registry that has most of the blobs: they are mounted, not sent. */
  readonly mountFrom?: string | undefined;
}

/** Writes into one repository. */
export class RegistryTarget implements ImageTarget {
  readonly name: string;
  readonly #place: string;
  readonly #client: RegistryClient;
  readonly #mountFrom: string | undefined;

  constructor(reference: RegistryReference, { mountFrom, ...options }: PushOptions = {}) {
    this.name = formatReference(reference);
    this.#place = placeOf(reference);
    this.#client = new RegistryClient(reference, options);
    this.#mountFrom = mountFrom;
  }

  async has(blob: BlobDescriptor, signal?: AbortSignal): Promise<boolean> {
    const task = this.#task('asking for', blob, 'from');
    return await withRetries(async () => {
      const answer = await this.#client.send(task, {
        method: 'HEAD',
        to: `blobs/${blob.digest}`,
        access: 'push',
        signal,
      });
      await answer.drain();
      if (answer.status === 200) return true;
      if (answer.status === 404) return await this.#mount(blob, signal);
      throw await answer.failure();
    }, signal);
  }

  async put(
    blob: BlobDescriptor,
    open: (signal?: AbortSignal) => AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const task = this.#task('sending', blob, 'to');
    await withRetries(async () => {
      const location = await this.#startUpload(task, signal);
      location.searchParams.set('digest', blob.digest);
      const answer = await this.#client.send(task, {
        method: 'PUT',
        to: location,
        headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.sizeBytes) },
        body: () => Readable.from(open(signal), { objectMode: false, highWaterMark: 1 << 20 }),
        access: 'push',
        answerTimeoutMs: COMMIT_TIMEOUT_MS,
        signal,
      });
      if (answer.status !== 201) throw await answer.failure();
      await answer.drain();
    }, signal);
  }

  async putManifest(
    { bytes, digest, mediaType }: ManifestBytes,
    tag: string | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const which = tag ?? digest;
    const task: Task = { doing: `sending the manifest ${which}`, direction: 'to', source: this.#place };
    await withRetries(async () => {
      const answer = await this.#client.send(task, {
        method: 'PUT',
        to: `manifests/${which}`,
        headers: { 'content-type': mediaType },
        body: () => bytes,
        access: 'push',
        answerTimeoutMs: COMMIT_TIMEOUT_MS,
        signal,
      });
      if (answer.status !== 201) throw await answer.failure();
      await answer.drain();
      checkStored(task, digest, answer.header('docker-content-digest'));
    }, signal);
  }

  async findManifest(tag: string, signal?: AbortSignal): Promise<ManifestBytes | undefined> {
    return await withRetries(
      () => findManifest(this.#client, { source: this.#place, which: tag, signal }),
      signal,
    );
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #startUpload(task: Task, signal: AbortSignal | undefined): Promise<URL> {
    const answer = await this.#client.send(task, {
      method: 'POST',
      to: 'blobs/uploads/',
      headers: { 'content-length': '0' },
      access: 'push',
      signal,
    });
    if (answer.status !== 202) throw await answer.failure();
    await answer.drain();
    const location = answer.header('location');
    if (location === undefined) throw new UnexpectedAnswer(task, 'it does not say where to');
    return this.#client.address(location);
  }

  /** @returns whether the registry shares the blob of another repository; it may refuse without a reason */
  async #mount(blob: BlobDescriptor, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#mountFrom === undefined) return false;
    const query = new URLSearchParams({ mount: blob.digest, from: this.#mountFrom });
    const answer = await this.#client.send(this.#task('mounting', blob, 'to'), {
      method: 'POST',
      to: `blobs/uploads/?${query}`,
      headers: { 'content-length': '0' },
      access: 'push',
      alsoPull: this.#mountFrom,
      signal,
    });
    await answer.drain();
    return answer.status === 201;
  }

  #task(verb: string, { digest, sizeBytes }: BlobDescriptor, direction: 'from' | 'to'): Task {
    return { doing: `${verb} ${digest}`, direction, source: this.#place, blob: digest, length: sizeBytes };
  }
}

function checkStored(task: Task, expected: Digest, found: string | undefined): void {
  if (found !== undefined && found !== expected) {
    throw new WrongContent(task, 'it stored something else', { expected, found });
  }
}
