/**
 * The payload codec: what Temporal keeps of a payload. Each is packed with zstd where that makes it smaller, and encrypted with
 * AES-256-GCM. What has not gone through it (histories of before) is passed as it is.
 *
 * A payload's data is SALT (24 bytes), ciphertext, TAG (16 bytes). Key and nonce of the cipher are HKDF-SHA-256 of the kept key and the
 * random salt, so that they are no payload's but this one's: with one key and random nonces, 2³² payloads would be too many (NIST SP
 * 800-38D, 8.3), which a fleet's heartbeats reach in months. The whole of the outer metadata is authenticated; the inner one is part of
 * what is encrypted. The clear text is a byte (0: as it is, 1: zstd) and the payload as protobuf.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { CodecKey, CodecKeys } from './keys.ts';
import { PayloadRefused } from './keys.ts';

const payloadMessage = proto.temporal.api.common.v1.Payload;

const CIPHER = 'aes-256-gcm';
const ENCODING = 'iguana/zstd-aes-256-gcm';
const FIELDS = { encoding: 'encoding', key: 'iguana-key' } as const;
const SALT_BYTES = 24;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const INFO = 'iguana payload 1';
const FORM = { plain: 0, zstd: 1 } as const;
/** zstd makes nothing smaller below, and costs a turn of the thread pool. */
const PACKED_FROM_BYTES = 512;
/** Ten times what Temporal takes in one message: only who has the key can make one that unpacks to more. */
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Encrypts and decrypts payloads with the keys of a state folder. */
export class IguanaCodec implements PayloadCodec {
  readonly #keys: CodecKeys;

  constructor(keys: CodecKeys) {
    this.#keys = keys;
  }

  /** @throws PayloadRefused where the keys cannot be read */
  async encode(payloads: Payload[]): Promise<Payload[]> {
    if (payloads.length === 0) return payloads;
    const key = await this.#keys.current();
    return await Promise.all(payloads.map((payload) => seal(key, payload)));
  }

  /** @throws PayloadRefused where a payload was changed, or its key is not kept here */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return await Promise.all(payloads.map((payload) => (isSealed(payload) ? this.#open(payload) : payload)));
  }

  async #open(payload: Payload): Promise<Payload> {
    const id = textOf(payload, FIELDS.key);
    const key = await this.#keys.find(id);
    if (!key) {
      throw new PayloadRefused(
        `decrypting a payload: its key ${JSON.stringify(id)} is not in ${this.#keys.file}; copy that file from the host where the ` +
          'payload was made. Where the key was removed, nobody can read it any more',
      );
    }
    return await open(key, payload, this.#keys.file);
  }
}

/** @returns whether a payload has gone through the codec */
export const isSealed = (payload: Payload): boolean => textOf(payload, FIELDS.encoding) === ENCODING;

async function seal(key: CodecKey, payload: Payload): Promise<Payload> {
  const bytes = Buffer.from(payloadMessage.encode(payload).finish());
  const packed = bytes.length < PACKED_FROM_BYTES ? bytes : await compress(bytes);
  const isSmaller = packed.length < bytes.length;
  const metadata = { [FIELDS.encoding]: Buffer.from(ENCODING), [FIELDS.key]: Buffer.from(key.id) };
  const salt = randomBytes(SALT_BYTES);
  const cipher = createCipheriv(CIPHER, ...derived(key, salt));
  cipher.setAAD(authenticated(metadata));
  const data = Buffer.concat([
    salt,
    cipher.update(Buffer.of(isSmaller ? FORM.zstd : FORM.plain)),
    cipher.update(isSmaller ? packed : bytes),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return { metadata, data };
}

async function open(key: CodecKey, { metadata, data }: Payload, file: string): Promise<Payload> {
  const sealed = data ?? new Uint8Array(0);
  try {
    const salt = sealed.subarray(0, SALT_BYTES);
    const decipher = createDecipheriv(CIPHER, ...derived(key, salt), { authTagLength: TAG_BYTES });
    decipher.setAAD(authenticated(metadata ?? {}));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const clear = Buffer.concat([decipher.update(sealed.subarray(SALT_BYTES, -TAG_BYTES)), decipher.final()]);
    const body = clear.subarray(1);
    const isPacked = clear[0] === FORM.zstd;
    const bytes = isPacked ? await decompress(body, { maxOutputLength: MAX_UNPACKED_BYTES }) : body;
    return payloadMessage.decode(bytes);
  } catch (cause) {
    throw new PayloadRefused(
      `decrypting a payload: it was changed since it was made, or key ${key.id} in ${file} is not the one that it was made with; ` +
        'compare that file with its backup',
      { cause },
    );
  }
}

function derived(key: CodecKey, salt: Uint8Array): [Buffer, Buffer] {
  const bytes = Buffer.from(
    hkdfSync('sha256', Buffer.from(key.key, 'base64'), salt, INFO, KEY_BYTES + NONCE_BYTES),
  );
  return [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)];
}

/** All metadata, in an order of its own: maps have none. */
function authenticated(metadata: Readonly<Record<string, Uint8Array>>): Buffer {
  const fields = Object.entries(metadata).map(([name, value]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
  return Buffer.from(JSON.stringify(fields.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))));
}

const textOf = ({ metadata }: Payload, field: string): string =>
  Buffer.from(metadata?.[field] ?? []).toString('utf8');
