/** Gets a workflow file, and believes it only where it is part of the boot image or signed by the boot image's key. */
import { readFile } from 'node:fs/promises';
import { errorCode } from '../../image/io-error.ts';
import { isSignedBy, type PublicKey, parsePublicKey } from '../../image/signature/public-key.ts';
import { NotFound, SourceError, TlsFailure } from '../../image/source/errors.ts';
import { MAX_DOCUMENT_BYTES } from '../../manifest/document.ts';
import { type FetchLimits, fetchFile } from './fetch.ts';
import { Refused } from './refused.ts';

/** base64 of a signature by ECDSA on P-256 is some 96 bytes. */
const MAX_SIGNATURE_BYTES = 4096;

/** Where a workflow file is. */
export type FilePlace =
  /** On a web server, with its signature beside it under the same name and `.sig`. */
  | { readonly url: URL }
  /** In the boot image; the same. */
  | { readonly file: string; readonly isEmbedded: boolean };

/** Where it is, and who must have signed it. */
export interface TrustRequest {
  readonly place: FilePlace;
  /** PEM; undefined where the boot image has no key. */
  readonly key: string | undefined;
  readonly limits?: Pick<FetchLimits, 'timeoutMs' | 'pausesMs'>;
}

/**
 * @returns the text
 * @throws Refused
 */
export async function trustedText({ place, key, limits = {} }: TrustRequest): Promise<string> {
  const needsSignature = !('isEmbedded' in place && place.isEmbedded);
  if (needsSignature && key === undefined)
    throw new Refused(
      'this boot image has no key that could have signed it',
      'make the boot image with `iguana boot build --key cosign.pub`, or put the file into it with `--control FILE`',
    );
  const bytes = await read(place, 'the workflow file', { maxBytes: MAX_DOCUMENT_BYTES, ...limits });
  if (needsSignature && key !== undefined) {
    const signature = await readSignature(place, { maxBytes: MAX_SIGNATURE_BYTES, ...limits });
    verify(bytes, signature, key);
  }
  return decoded(bytes);
}

async function readSignature(place: FilePlace, limits: FetchLimits): Promise<string> {
  const beside = besideOf(place);
  try {
    return (await read(beside, 'its signature', limits)).toString('latin1').trim();
  } catch (error) {
    if (!(error instanceof Refused && isMissing(error.cause))) throw error;
    const at = 'url' in beside ? beside.url.href : beside.file;
    throw new Refused(`it is not signed: there is no ${at}`, SIGNING, { cause: error });
  }
}

const SIGNING =
  'sign it with the key of this boot image, `cosign sign-blob --key cosign.key --output-signature control.yaml.sig control.yaml`, ' +
  'and put the signature beside it';

function besideOf(place: FilePlace): FilePlace {
  if ('file' in place) return { ...place, file: `${place.file}.sig` };
  const url = new URL(place.url);
  url.pathname += '.sig';
  return { url };
}

function verify(bytes: Buffer, signature: string, pem: string): void {
  const key = keyIn(pem);
  if (!/^[A-Za-z0-9+/]+=*$/.test(signature))
    throw new Refused('its signature is no base64, as cosign sign-blob writes it', SIGNING);
  if (!isSignedBy(key, bytes, signature))
    throw new Refused(
      `its signature is of something else, or by another key than that of this boot image (${key.id})`,
      `${SIGNING}; after each change it needs a new one`,
    );
}

function keyIn(pem: string): PublicKey {
  try {
    return parsePublicKey(pem, 'of the boot image');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Refused(why, 'make the boot image anew with `iguana boot build --key`', { cause });
  }
}

async function read(place: FilePlace, what: string, limits: FetchLimits): Promise<Buffer> {
  try {
    if ('url' in place) return await fetchFile(place.url, what, limits);
    const bytes = await readFile(place.file);
    if (bytes.length <= limits.maxBytes) return bytes;
    throw new Error(`reading ${what}: ${bytes.length} bytes, more than ${limits.maxBytes}`);
  } catch (cause) {
    throw new Refused(cause instanceof Error ? cause.message : String(cause), remedyOf(cause), { cause });
  }
}

const isMissing = (error: unknown): boolean => error instanceof NotFound || errorCode(error) === 'ENOENT';

function remedyOf(error: unknown): string {
  if (error instanceof TlsFailure)
    return (
      'look at the server’s certificate and at this machine’s clock; an authority that not everybody trusts is given with ' +
      '`iguana boot build --registry-ca`'
    );
  if (error instanceof SourceError && error.retryable)
    return 'look at the network, at the name, and at the web server';
  return 'correct rd.iguana.control_url, or what the web server has there';
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Refused('it is no text in UTF-8', 'save it as UTF-8', { cause });
  }
}
