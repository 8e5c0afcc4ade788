/** A server's blobs as a library, for machines that have no store. */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '../../image/digest.ts';
import type { BlobDescriptor, ImageSource } from '../../image/source/source.ts';
import { streamBlob } from '../../image/transfer/blob-stream.ts';
import { openSource } from '../../image/transfer/open.ts';
import type { ImageLibrary } from './library.ts';

/** The server, and what is kept here. */
export interface ServedOptions {
  /** Address of a folder with `blobs/sha256/…`, as the gateway serves it. */
  readonly url: string;
  /** The machine's certificate and the server's authority, in the manner of {@link TlsOptions.certDir}. */
  readonly certDir?: string;
  /** For blobs that a step needs as a file; in a boot image this is memory. */
  readonly folder: string;
}

/** Less than a gateway gives each machine: its steps and its heartbeats need some, too. */
const CONNECTIONS = 4;

/** @returns a library that keeps what it has fetched as a file, so that a step which is tried again has it */
export function servedLibrary({ url, certDir, folder }: ServedOptions): ImageLibrary {
  return {
    name: url,
    open: (digest) =>
      openSource([`${url}@${digest}`], {
        connections: CONNECTIONS,
        ...(certDir !== undefined && { certDir }),
      }),
    async file(source, blob) {
      const path = join(folder, blob.digest.slice('sha256:'.length));
      const found = await digestOfFile(path).catch(() => undefined);
      if (found !== blob.digest) {
        await mkdir(folder, { recursive: true });
        await fetch(source, blob, path);
      }
      return path;
    },
  };
}

async function fetch(source: ImageSource, blob: BlobDescriptor, path: string): Promise<void> {
  const partial = `${path}.${crypto.randomUUID()}`;
  try {
    const file = await open(partial, 'wx', 0o600);
    try {
      for await (const piece of streamBlob(source, blob)) await file.writeFile(piece);
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
