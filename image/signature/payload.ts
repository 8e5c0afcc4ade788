/** What is signed: "simple signing", as cosign and podman write and read it (containers-signature(5)). */
import { z } from 'zod';
import type { Digest } from '../digest.ts';
import { digestSchema } from '../digest-schema.ts';

/** Media type of a payload. */
export const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** A payload is some hundred bytes; annotations may make it longer. */
export const MAX_PAYLOAD_BYTES = 64 << 10;

const KIND = 'cosign container image signature';

const payloadSchema = z.object({
  critical: z.object({
    identity: z.object({ 'docker-reference': z.string() }),
    image: z.object({ 'docker-manifest-digest': digestSchema }),
    type: z.literal(KIND),
  }),
  optional: z.record(z.string(), z.unknown()).nullable().optional(),
});

/** What a signer states: this manifest is that image. */
export interface Statement {
  /** Name of the image, usually its repository; may be empty. */
  readonly identity: string;
  readonly manifestDigest: Digest;
}

/** The bytes to sign. */
export function writePayload({ identity, manifestDigest }: Statement): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': identity },
        image: { 'docker-manifest-digest': manifestDigest },
        type: KIND,
      },
      optional: null,
    }),
  );
}

/** @returns undefined where the bytes are no such statement */
export function readPayload(bytes: Buffer): Statement | undefined {
  const { data } = payloadSchema.safeParse(parse(bytes));
  return (
    data && {
      identity: data.critical.identity['docker-reference'],
      manifestDigest: data.critical.image['docker-manifest-digest'],
    }
  );
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // Judged by the schema.
    return undefined;
  }
}
