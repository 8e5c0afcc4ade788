/** `iguana image pack | unpack`: from raw images and back. */
import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { PartInput } from '../../image/pack/pack-part.ts';
import { usageError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { REFERENCE_HELP, readable, signedBy } from './image-options.ts';
import { partOf } from './image-part.ts';
import { type ReadOptions, withImage, withReadOptions } from './image-read.ts';

interface PackOptions {
  readonly name?: string;
  readonly level: number;
  readonly partition?: readonly string[];
}

interface UnpackOptions extends ReadOptions {
  readonly part?: string;
}

/** Packed once, written often: frames of level 9 decompress a third faster than those of level 3 (bench/chunking.ts). */
const DEFAULT_LEVEL = 9;

/** Adds the commands. */
export function registerImagePack(image: Command): void {
  define(image, {
    usage: 'pack <file> <target>',
    summary: 'make an image of a disk image or a disk',
    description:
      'The file is raw, qcow2, or raw and compressed by zstd, xz or gzip; a block map beside it (FILE.bmap) is used and compared.\n' +
      'The same bytes always give the same image. The target is a layout folder: oci:FOLDER[:TAG].',
    examples: [
      ['image pack web.img oci:web:1.2', 'a raw disk image'],
      ['image pack web.qcow2 oci:web:1.2 --level 3', 'quicker to make, slower to write'],
      ['image pack root.img oci:web --partition root:ext4', 'the content of one partition'],
    ],
  })
    .option('--name <text>', 'what the image is, for people; default the name of the file')
    .option('--level <number>', 'effort of zstd, 1 to 19', levelOf, DEFAULT_LEVEL)
    .option('--partition <name:filesystem>', 'the file is the content of a partition, not a whole disk')
    .action(action(pack));
  const unpack = define(image, {
    usage: 'unpack <image> <file>',
    summary: 'make a raw, sparse file of an image',
    description: `Every byte is verified; the file appears when it is whole.\n${REFERENCE_HELP}`,
    examples: [['image unpack docker://registry.example/os/web:1.2 web.img --key cosign.pub', 'verified']],
  }).option('--part <name>', 'the part of the image; needed where it has more than one');
  withReadOptions(unpack).action(action(run));
}

function levelOf(text: string): number {
  const level = Number(text);
  if (!Number.isInteger(level) || level < 1 || level > 19) throw new InvalidArgumentError('It is 1 to 19.');
  return level;
}

async function pack(
  { output, options }: { output: Output; options: Omit<PackOptions, 'partition'> & { partition?: string } },
  file: string,
  to: string,
): Promise<undefined> {
  const [{ packImage }, { openInput }, { LayoutTarget }, { parseReference }, { LiveLine }] =
    await Promise.all([
      import('../../image/pack/pack-image.ts'),
      import('../../image/pack/input.ts'),
      import('../../image/transfer/layout-target.ts'),
      import('../../image/source/reference.ts'),
      import('../output/live-line.ts'),
    ]);
  const reference = readable(() => parseReference(to));
  if (reference.kind !== 'layout' || reference.digest !== undefined)
    throw usageError(`reading the target ${to}: an image is packed into a layout folder`, {
      remedy: 'Name it as oci:FOLDER[:TAG]; `iguana image push` sends it to a registry.',
    });
  const about = partAbout(options.partition);
  const live = output.interactive ? new LiveLine() : undefined;
  const target = new LayoutTarget(reference);
  try {
    const packed = await packImage(target, {
      name: options.name ?? basename(file),
      tag: reference.tag,
      level: options.level,
      parts: [{ ...about, input: await openInput(file) }],
      onProgress: (doneBytes, totalBytes) => live?.show({ title: `packing ${file}`, doneBytes, totalBytes }),
    });
    live?.clear();
    const { digest, parts, packedBytes } = packed;
    const [part] = parts;
    output.result({ kind: 'image-pack', target: target.name, digest, parts, packedBytes }, () =>
      [
        `${target.name}: ${digest}`,
        `${formatBytes(part?.sizeBytes ?? 0)}, of which ${formatBytes(part?.dataBytes ?? 0)} are data, ${formatBytes(packedBytes)} packed`,
      ].join('\n'),
    );
  } finally {
    live?.clear();
    await target.close();
  }
  return undefined;
}

function partAbout(partition: string | undefined): Omit<PartInput, 'input'> {
  if (partition === undefined) return { name: 'disk', kind: 'disk' };
  const [name = '', filesystem] = partition.split(':');
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name))
    throw usageError(`reading --partition ${partition}: ${name || 'nothing'} is no name of a partition`, {
      remedy: 'Letters, digits, dots, hyphens and underscores: --partition root:ext4.',
    });
  return { name, kind: 'partition', ...(filesystem && { filesystem }) };
}

async function run(
  { output, options }: { output: Output; options: UnpackOptions },
  reference: string,
  file: string,
): Promise<undefined> {
  const [{ unpackPart }, { LiveLine }] = await Promise.all([
    import('../../image/pack/unpack.ts'),
    import('../output/live-line.ts'),
  ]);
  await withImage(reference, options, async ({ image, source, signer }) => {
    const live = output.interactive ? new LiveLine() : undefined;
    try {
      const part = partOf(image, options.part, `unpacking ${reference}`);
      const report = await unpackPart({
        part,
        file,
        source,
        onProgress: ({ doneBytes, totalBytes }) =>
          live?.show({ title: `unpacking ${reference}`, doneBytes, totalBytes }),
      });
      live?.clear();
      output.result({ kind: 'image-unpack', file, digest: image.digest, part: part.name, ...report }, () =>
        [
          `${file}: ${formatBytes(part.sizeBytes)}, of which ${formatBytes(part.dataBytes)} are data`,
          signedBy(signer, 'no signature was asked for'),
        ].join('\n'),
      );
    } finally {
      live?.clear();
    }
  });
  return undefined;
}
