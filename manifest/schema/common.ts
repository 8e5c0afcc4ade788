/** Building blocks shared by the profile, the manifest and the facts. */
import { z } from 'zod';

/** The version of both documents. A later, incompatible version gets another name and a migration. */
export const API_VERSION = 'iguana/v1';

/** A SHA-256 digest as OCI writes it: `sha256:` and 64 lower-case hexadecimal digits. */
export const digestSchema = z
  .templateLiteral(
    ['sha256:', z.string().regex(/^[0-9a-f]{64}$/)],
    'a digest: sha256: and 64 hexadecimal digits',
  )
  .meta({ description: 'A SHA-256 digest: sha256: and 64 hexadecimal digits.' });

/** A digest, e.g. `sha256:9f86d0…`. */
export type Digest = `sha256:${string}`;

const SIZE_UNITS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;
const SIZE_PATTERN = /^(\d+)([KMGT])?(?:i?B)?$/;

function bytesOf(text: string): number {
  const match = SIZE_PATTERN.exec(text);
  const unit = match?.[2] as keyof typeof SIZE_UNITS | undefined;
  return match ? Number(match[1]) * (unit ? SIZE_UNITS[unit] : 1) : Number.NaN;
}

/** A size as people write it: bytes, or a number with K, M, G or T (powers of 1024). */
export const sizeSchema = z
  .union([
    z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
    z
      .string()
      .regex(SIZE_PATTERN, {
        error: 'a size: bytes, or a whole number with K, M, G or T, e.g. 512M',
        abort: true,
      })
      .refine(
        (text) => bytesOf(text) > 0 && Number.isSafeInteger(bytesOf(text)),
        'a size from 1 byte to 8191T',
      ),
  ])
  .meta({ description: 'Bytes, or a whole number with K, M, G or T (powers of 1024), e.g. 512M.' });

/** @see sizeSchema */
export type Size = z.infer<typeof sizeSchema>;

/**
 * Converts a size to bytes.
 * @param size e.g. `512M` or `536870912`
 * @returns bytes
 * @throws RangeError when the text is no size or above `Number.MAX_SAFE_INTEGER`
 */
export function sizeToBytes(size: Size): number {
  if (typeof size === 'number') return size;
  const bytes = bytesOf(size);
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`not a size: ${size}`);
  return bytes;
}

/** An absolute path inside the installed system, without `.` or `..` parts. */
export const targetPathSchema = z
  .string()
  .max(4096)
  .regex(
    /^(\/|(\/(?!\.{1,2}(\/|$))[^/\p{Cc}]+)+)$/u,
    'an absolute path without . or .. parts, // or / at its end',
  )
  .meta({ description: 'An absolute path in the installed system, without . or .. parts.' });

/** File permissions in octal, as a string so that YAML does not read them as a decimal number. */
export const modeSchema = z
  .string()
  .regex(/^[0-7]{3,4}$/, 'permissions in octal, quoted, e.g. "0644"')
  .meta({ description: 'Permissions in octal, quoted, e.g. "0644".' });

/** A reference to a secret that is kept outside of every document: the name it was stored under. */
export const secretRefSchema = z
  .strictObject({
    secret: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'the name of a secret: a-z, 0-9, . _ -')
      .meta({ description: 'Name of the secret.' }),
  })
  .meta({ description: 'A secret by reference: the name under which `iguana secret set` stored it.' });
