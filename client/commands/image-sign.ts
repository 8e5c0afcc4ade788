/** `iguana image sign`: a signature as cosign makes it. */
import type { Command } from 'commander';
import { CommandError } from '../errors.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import {
  type ConnectionOptions,
  CREDENTIALS_HELP,
  connectionOf,
  readable,
  withConnectionOptions,
} from './image-options.ts';

interface SignOptions extends ConnectionOptions {
  readonly key: string;
  readonly identity?: string;
}

/** Adds the command. */
export function registerImageSign(image: Command): void {
  const sign = define(image, {
    usage: 'sign <image>',
    summary: "sign an image in a registry or a layout folder, in cosign's format",
    description:
      'The key is ECDSA on P-256: from `cosign generate-key-pair`, whose password is taken from $COSIGN_PASSWORD or asked\n' +
      'for, or PKCS #8 in PEM. The signature lies beside the image, with those of others, and is copied with it.\n' +
      'The image is oci:FOLDER[:TAG|@DIGEST] or docker://HOST/REPOSITORY[:TAG|@DIGEST].\n' +
      CREDENTIALS_HELP,
    examples: [
      ['image sign docker://registry.example/os/web:1.2 --key cosign.key', 'in a registry'],
      ['image sign oci:web --key cosign.key --identity registry.example/os/web', 'before it is pushed there'],
    ],
  });
  sign
    .requiredOption('--key <file>', 'private key')
    .option('--identity <name>', "the name that is signed; default the registry's repository, else none");
  withConnectionOptions(sign).action(action(run));
}

async function run(
  { output, options }: { output: Output; options: SignOptions },
  image: string,
): Promise<undefined> {
  const [{ openSource, openTarget }, { parseReference }, { readPrivateKey }, { signImage }] =
    await Promise.all([
      import('../../image/transfer/open.ts'),
      import('../../image/source/reference.ts'),
      import('../../image/signature/private-key.ts'),
      import('../../image/signature/sign.ts'),
    ]);
  const connection = connectionOf(options);
  const { reference, source, target } = readable(() => ({
    reference: parseReference(image),
    source: openSource([image], connection),
    // What is signed may be named by its digest; where the signature is put, it may not.
    target: openTarget(image.replace(/@sha256:[0-9a-f]{64}$/, ''), connection),
  }));
  try {
    const key = await readPrivateKey(options.key, () => passwordOf(output, options.key));
    const repository = reference.kind === 'registry' ? `${reference.host}/${reference.repository}` : '';
    const signed = await signImage({ source, target }, { key, identity: options.identity ?? repository });
    output.result(signed, () => `signed ${signed.digest} with key ${signed.keyId}`);
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
  return undefined;
}

/** From the variable that cosign itself takes; never an argument, which everybody on the host can read. */
async function passwordOf(output: Output, key: string): Promise<string> {
  const given = process.env.COSIGN_PASSWORD;
  if (given !== undefined) return given;
  if (output.interactive) {
    const { askSecretly } = await import('../ask.ts');
    return await askSecretly(`Password of ${key}: `);
  }
  throw new CommandError(
    `opening the private key ${key}: it is encrypted, and there is no terminal to ask at`,
    {
      remedy: 'Set COSIGN_PASSWORD.',
    },
  );
}
