/** Options of the commands that reach images elsewhere: how to connect, and whose signature is demanded. */
import { type Command, Option } from 'commander';
import type { Digest } from '../../image/digest.ts';
import type { Signer } from '../../image/signature/verify.ts';
import type { ImageSource } from '../../image/source/source.ts';
import type { OpenOptions } from '../../image/transfer/open.ts';
import { usageError } from '../errors.ts';

/** What {@link withConnectionOptions} adds. */
export interface ConnectionOptions {
  readonly authfile?: string;
  readonly ca?: string;
  readonly certDir?: string;
  readonly plainHttp?: boolean;
}

/** What {@link withMirrorOption} adds. */
export interface MirrorOption {
  readonly mirror?: readonly string[];
}

/** What {@link withSignatureOptions} adds. */
export interface SignatureOptions {
  readonly key?: readonly string[];
  readonly signedIdentity?: string;
}

/** Where credentials come from, for the help of commands. */
export const CREDENTIALS_HELP =
  'Credentials come from --authfile, $REGISTRY_AUTH_FILE, or the files of podman, skopeo and Docker.';

/** The forms of references, for the help of commands that read. */
export const REFERENCE_HELP =
  'References: oci:FOLDER[:TAG|@DIGEST], docker://HOST/REPOSITORY[:TAG|@DIGEST], http(s)://HOST/FOLDER[:TAG|@DIGEST],\n' +
  'and store:DIGEST for an image that `iguana image ls` shows; its first digits do.\n' +
  CREDENTIALS_HELP;

/** Adds the options for connecting to registries and web servers. */
export function withConnectionOptions(command: Command): Command {
  return command
    .option('--authfile <file>', 'credentials for registries, as podman and Docker keep them')
    .option('--ca <file>', 'further authorities for TLS, PEM')
    .option('--cert-dir <folder>', 'authorities (*.crt) and our own certificate (*.cert, *.key)')
    .option('--plain-http', 'speak with registries without TLS');
}

/** Adds the option for several sources of one image. */
export function withMirrorOption(command: Command): Command {
  return command.addOption(
    repeatable('--mirror <image>', 'another place with the same image; may be given more than once'),
  );
}

/** Adds the options for verifying who signed an image. */
export function withSignatureOptions(command: Command): Command {
  return command
    .addOption(
      repeatable('--key <file>', 'public key that must have signed the image; may be given more than once'),
    )
    .option('--signed-identity <name>', 'the name that must have been signed with it; needs --key');
}

const repeatable = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((value: string, before: string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);

/** The options in the library's words. */
export function connectionOf({ authfile, ca, certDir, plainHttp }: ConnectionOptions): OpenOptions {
  return {
    ...(authfile !== undefined && { authFile: authfile }),
    ...(ca !== undefined && { caFile: ca }),
    ...(certDir !== undefined && { certDir }),
    ...(plainHttp !== undefined && { plainHttp }),
  };
}

/**
 * Verifies who signed an image, where keys are given.
 * @param digest of its manifest
 * @returns undefined where no key is given
 * @throws NotTrusted, BadKey
 */
export async function signerOf(
  source: ImageSource,
  digest: Digest,
  { key: paths = [], signedIdentity }: SignatureOptions,
): Promise<Signer | undefined> {
  if (paths.length === 0) return undefined;
  const [{ readPublicKey }, { verifySignature }] = await Promise.all([
    import('../../image/signature/public-key.ts'),
    import('../../image/signature/verify.ts'),
  ]);
  const keys = await Promise.all(paths.map(readPublicKey));
  return await verifySignature(source, digest, { keys, identity: signedIdentity });
}

/**
 * To be called before anything is read.
 * @throws CommandError where a name is to be signed, and no key is named
 */
export function checkSignatureOptions({ key = [], signedIdentity }: SignatureOptions): void {
  if (signedIdentity !== undefined && key.length === 0)
    throw usageError('--signed-identity needs --key: without a trusted key a name proves nothing');
}

/** The signer for people; `otherwise` where there is none. */
export const signedBy = (signer: Signer | undefined, otherwise: string): string =>
  signer ? `signed by ${signer.keyName} (${signer.keyId})` : otherwise;

/** References that cannot be read are wrong usage. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw usageError(cause.message, { remedy: REFERENCE_HELP, cause });
  }
}
