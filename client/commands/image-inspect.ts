/** `iguana image inspect | verify | diff`: what an image is, whether it is whole, and what it has of another. */
import type { Command } from 'commander';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { type ConnectionOptions, REFERENCE_HELP, signedBy, withConnectionOptions } from './image-options.ts';
import { type ReadOptions, withImage, withReadOptions } from './image-read.ts';

/** Adds the commands. */
export function registerImageInspect(image: Command): void {
  const inspect = define(image, {
    usage: 'inspect <image>',
    summary: 'show what an image consists of',
    description: `Only its manifest, configuration and chunk tables are read.\n${REFERENCE_HELP}`,
    examples: [['image inspect docker://registry.example/os/web:1.2 --output json', 'with all digests']],
  });
  withReadOptions(inspect).action(action(show));
  const verify = define(image, {
    usage: 'verify <image>',
    summary: 'read all of an image and compare it with its digests',
    description: `With --key, its signature too. Nothing is written.\n${REFERENCE_HELP}`,
    examples: [['image verify oci:web:1.2 --key cosign.pub', 'what is in a folder']],
  });
  withReadOptions(verify).action(action(check));
  const diff = define(image, {
    usage: 'diff <older> <newer>',
    summary: 'show how much of an image another has',
    description: `What a machine with the older image has to fetch at least for the newer one.\n${REFERENCE_HELP}`,
    examples: [['image diff oci:web:1.2 oci:web:1.3', 'two releases in one folder']],
  });
  withConnectionOptions(diff).action(action(compare));
}

async function show(
  { output, options }: { output: Output; options: ReadOptions },
  reference: string,
): Promise<undefined> {
  const { table } = await import('../output/table.ts');
  await withImage(reference, options, async ({ image, signer }) => {
    const { digest, name, headBytes, packedBytes } = image;
    const parts = image.parts.map(({ chunks, ...part }) => ({
      ...part,
      chunks: chunks.count,
      packs: chunks.packs.length,
      maxChunkBytes: chunks.maxChunkBytes,
    }));
    const about = { digest, ...(name !== undefined && { name }), headBytes, packedBytes };
    output.result({ kind: 'image', ...about, parts, ...(signer && { signer }) }, () =>
      [
        `${name ?? reference}  ${digest}`,
        `packed ${formatBytes(packedBytes)}; manifest, configuration and tables ${formatBytes(headBytes)}`,
        ...(signer ? [signedBy(signer, '')] : []),
        '',
        table(
          ['PART', 'KIND', 'SIZE', 'DATA', 'CHUNKS', 'PACKS', 'DIGEST'],
          parts.map((part) => [
            part.name,
            part.filesystem ? `${part.kind}, ${part.filesystem}` : part.kind,
            formatBytes(part.sizeBytes),
            formatBytes(part.dataBytes),
            String(part.chunks),
            String(part.packs),
            part.digest,
          ]),
        ),
      ].join('\n'),
    );
  });
  return undefined;
}

async function check(
  { output, options }: { output: Output; options: ReadOptions },
  reference: string,
): Promise<undefined> {
  const [{ verifyImage }, { LiveLine }] = await Promise.all([
    import('../../image/inspect/verify-image.ts'),
    import('../output/live-line.ts'),
  ]);
  await withImage(reference, options, async ({ image, source, signer }) => {
    const live = output.interactive ? new LiveLine() : undefined;
    try {
      const verified = await verifyImage(source, image, {
        onProgress: (doneBytes) =>
          live?.show({ title: `verifying ${reference}`, doneBytes, totalBytes: image.packedBytes }),
      });
      live?.clear();
      const about = { kind: 'image-verify', digest: image.digest, ...verified, ...(signer && { signer }) };
      output.result(about, () =>
        [
          `${reference}: ${image.digest} is whole: ${verified.chunks} chunks, ${formatBytes(verified.packedBytes)} packed`,
          signedBy(signer, 'no signature was asked for'),
        ].join('\n'),
      );
    } finally {
      live?.clear();
    }
  });
  return undefined;
}

async function compare(
  { output, options }: { output: Output; options: ConnectionOptions },
  older: string,
  newer: string,
): Promise<undefined> {
  const [{ diffImages }, { table }] = await Promise.all([
    import('../../image/inspect/diff.ts'),
    import('../output/table.ts'),
  ]);
  await withImage(older, options, async ({ image: before }) =>
    withImage(newer, options, async ({ image: after }) => {
      const parts = diffImages(before, after);
      output.result({ kind: 'image-diff', older: before.digest, newer: after.digest, parts }, () =>
        table(
          ['PART', 'CHUNKS', 'SHARED', 'DATA', 'SHARED', 'PACKED', 'TO FETCH'],
          parts.map((part) => [
            part.name,
            String(part.chunks),
            String(part.sharedChunks),
            formatBytes(part.dataBytes),
            formatBytes(part.sharedBytes),
            formatBytes(part.packedBytes),
            `${formatBytes(part.fetchBytes)} (${percent(part.fetchBytes, part.packedBytes)})`,
          ]),
        ),
      );
    }),
  );
  return undefined;
}

const percent = (part: number, whole: number): string =>
  whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(1)} %`;
