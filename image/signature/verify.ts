/** Whether an image is signed by somebody who is trusted. Whatever is not surely so is refused. */
import type { Digest } from '../digest.ts';
import type { ImageSource } from '../source/source.ts';
import { type Signature, signaturesIn, signatureTag } from './manifest.ts';
import { readPayload } from './payload.ts';
import { isSignedBy, type PublicKey } from './public-key.ts';

/** Who signed an image. */
export interface Signer {
  /** Of the key, see {@link PublicKey.id}. */
  readonly keyId: Digest;
  /** The key's name: its file. */
  readonly keyName: string;
  /** The name that was signed with the image; may be empty. */
  readonly identity: string;
}

/** An image is not signed as it must be. */
export abstract class NotTrusted extends Error {
  readonly source: string;
  readonly digest: Digest;
  /** Ids of the keys that are trusted. */
  readonly keyIds: readonly string[];

  constructor({ source, digest, keys }: Checked, why: string) {
    const trusted = keys.map(({ id, name }) => `${name} (${id})`).join(', ') || 'no key';
    super(`verifying the signature of ${digest} from ${source.name}: ${why}; trusted: ${trusted}`);
    this.source = source.name;
    this.digest = digest;
    this.keyIds = keys.map(({ id }) => id);
  }
}

/** There is no signature at all. */
export class Unsigned extends NotTrusted {
  override readonly name = 'Unsigned';
}

/** None of the signatures is by a trusted key. */
export class SignedByAnotherKey extends NotTrusted {
  override readonly name = 'SignedByAnotherKey';
}

/** A trusted key signed, but something else. */
export class SignatureOfAnotherImage extends NotTrusted {
  override readonly name = 'SignatureOfAnotherImage';
  /** What was signed. */
  readonly found: string;

  constructor(checked: Checked, expected: string, found: string) {
    super(checked, `the signature is of something else; expected ${expected}, found ${found}`);
    this.found = found;
  }
}

interface Checked {
  readonly source: ImageSource;
  readonly digest: Digest;
  readonly keys: readonly PublicKey[];
}

/** What is demanded of a signature. */
export interface Trust {
  /** One of these must have signed. */
  readonly keys: readonly PublicKey[];
  /** This name must have been signed; default any. */
  readonly identity?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Verifies that a manifest is signed by one of the keys.
 * @param digest of the manifest, computed from its bytes
 * @returns who signed it
 * @throws NotTrusted; SourceError where the signatures cannot be read
 */
export async function verifySignature(
  source: ImageSource,
  digest: Digest,
  { keys, identity, signal }: Trust,
): Promise<Signer> {
  const checked = { source, digest, keys };
  const manifest = await source.attached(signatureTag(digest), signal);
  const signatures = manifest ? signaturesIn(source.name, manifest) : [];
  if (signatures.length === 0) throw new Unsigned(checked, 'it is not signed');
  let other: SignatureOfAnotherImage | undefined;
  for (const signature of signatures) {
    const payload = await source.blob(signature.payload, signal);
    const key = keys.find((candidate) => isSignedBy(candidate, payload, signature.base64));
    if (!key) continue;
    const statement = readPayload(payload);
    if (statement?.manifestDigest !== digest) {
      other ??= new SignatureOfAnotherImage(checked, digest, statement?.manifestDigest ?? 'no image');
    } else if (identity !== undefined && statement.identity !== identity) {
      other ??= new SignatureOfAnotherImage(checked, `the name ${identity}`, statement.identity || 'no name');
    } else return { keyId: key.id, keyName: key.name, identity: statement.identity };
  }
  throw other ?? new SignedByAnotherKey(checked, `none of its ${count(signatures)} is by a trusted key`);
}

const count = ({ length }: readonly Signature[]): string =>
  length === 1 ? '1 signature' : `${length} signatures`;
