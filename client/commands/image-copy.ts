/** `iguana image push | pull`: images with their signatures, from one place to another. */
import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { resolveStored } from './image-in-store.ts';
import {
  checkSignatureOptions,
  connectionOf,
  REFERENCE_HELP,
  readable,
  signedBy,
  signerOf,
} from './image-options.ts';
import { type ReadOptions, withReadOptions } from './image-read.ts';

interface CopyCommandOptions extends ReadOptions {
  readonly mountFrom?: string;
}

/** Adds the commands. */
export function registerImageCopy(image: Command): void {
  const push = define(image, {
    usage: 'push <image> <target>',
    summary: 'send an image and its signatures to a registry',
    description: `What the registry already has is not sent again.\n${REFERENCE_HELP}`,
    examples: [
      ['image push oci:web docker://registry.example/os/web:1.2', 'a layout folder to a registry'],
      ['image push oci:web docker://… --key cosign.pub', 'only where this key has signed it'],
      ['image push store:3f9ac1 docker://registry.example/os/web:1.2', 'what a build has put into the store'],
    ],
  }).option('--mount-from <repository>', 'another repository of the registry, whose blobs are shared');
  const pull = define(image, {
    usage: 'pull <image> <target>',
    summary: 'fetch an image and its signatures into a layout folder',
    description: `Every blob is verified; what the folder already has is not fetched again.\n${REFERENCE_HELP}`,
    examples: [
      ['image pull docker://registry.example/os/web:1.2 oci:web:1.2', 'a registry to a layout folder'],
      ['image pull https://a.example/web oci:web --mirror https://b.example/web', 'from two servers'],
    ],
  });
  for (const [command, kind] of [
    [push, 'docker://'],
    [pull, 'oci:'],
  ] as const) {
    withReadOptions(command).action(
      action(async (call: { output: Output; options: CopyCommandOptions }, from: string, to: string) => {
        if (!to.startsWith(kind)) {
          throw usageError(`reading the target: \`${command.name()}\` writes to ${kind}…`, {
            remedy: REFERENCE_HELP,
          });
        }
        return await copy(call, from, to);
      }),
    );
  }
}

async function copy(
  { output, options }: { output: Output; options: CopyCommandOptions },
  from: string,
  to: string,
): Promise<undefined> {
  checkSignatureOptions(options);
  const [{ copyImage }, { openSource, openTarget }, { parseReference }, { LiveLine }] = await Promise.all([
    import('../../image/transfer/copy.ts'),
    import('../../image/transfer/open.ts'),
    import('../../image/source/reference.ts'),
    import('../output/live-line.ts'),
  ]);
  const connection = connectionOf(options);
  const places = await Promise.all([from, ...(options.mirror ?? [])].map(resolveStored));
  const { source, target, tag } = readable(() => ({
    source: openSource(places, connection),
    target: openTarget(to, { ...connection, mountFrom: options.mountFrom }),
    tag: parseReference(to).tag,
  }));
  const live = output.interactive ? new LiveLine() : undefined;
  try {
    const manifest = await source.manifest();
    const signer = await signerOf(source, manifest.digest, options);
    const copied = await copyImage(source, target, {
      tag,
      digest: signer && manifest.digest,
      onProgress: (doneBytes, totalBytes) => live?.show({ title: `copying ${from}`, doneBytes, totalBytes }),
    });
    live?.clear();
    const { digest, copiedBytes, totalBytes, signed } = copied;
    output.result({ ...copied, target: target.name, ...(signer && { signer }) }, () =>
      [
        `${target.name}: ${digest}, ${formatBytes(totalBytes)}, of which ${formatBytes(copiedBytes)} were sent`,
        signedBy(signer, signed ? 'with its signatures, not verified' : 'not signed'),
      ].join('\n'),
    );
  } finally {
    live?.clear();
    await Promise.all([source.close(), target.close()]);
  }
  return undefined;
}
