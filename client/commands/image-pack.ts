/** `iguana image pack | unpack`: from raw images and back. */
import { type Command, InvalidArgumentError } from 'commander';
import { usageError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { REFERENCE_HELP, readable, signedBy } from './image-options.ts';
import { parsePackInputs } from './image-pack-inputs.ts';
import { partOf } from './image-part.ts';
import { type ReadOptions, withImage, withReadOptions } from './image-read.ts';

interface PackOptions {
  readonly name?: string;
  readonly level: number;
  readonly bmap: boolean;
}

interface UnpackOptions extends ReadOptions {
  readonly part?: string;
}

/** Packed once, written often: frames of level 9 decompress a third faster than those of level 3 (bench/chunking.ts). */
const DEFAULT_LEVEL = 9;

/** Adds the commands. */
export function registerImagePack(image: Command): void {
  define(image, {
    usage: 'pack <file-and-target...>',
    summary: 'make an image of disk images, partition images or disks',
    description:
      'A file alone is a whole disk. With a name before it, NAME[:FILESYSTEM]=FILE, it is the content of a partition; each becomes a\n' +
      'part of the image. (A file whose name has a `=` is ./FILE.) The target is a layout folder, oci:FOLDER[:TAG].\n' +
      'Files are raw, qcow2, or raw and compressed by zstd, xz or gzip. A block map beside one (for disk.img.zst: disk.img.zst.bmap,\n' +
      'disk.img.bmap or disk.bmap; the first of these only where there are several files) is compared, and what it leaves out is\n' +
      'packed as zeros. The same bytes (a block map decides on them, too), names, filesystems and level always give the same image.',
    examples: [
      ['image pack web.img oci:web:1.2', 'a raw disk image'],
      ['image pack web.qcow2 oci:web:1.2 --level 3', 'quicker to make, slower to write'],
      ['image pack root:ext4=root.img esp:vfat=esp.img oci:web', 'two partitions, one image'],
    ],
  })
    .usage('[options] <[name[:filesystem]=]file>... <target>')
    .option('--name <text>', 'what the image is, for people; part of the image', nameOf)
    .option('--level <number>', 'effort of zstd, 1 to 19', levelOf, DEFAULT_LEVEL)
    .option('--no-bmap', 'use no block map')
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

function nameOf(text: string): string {
  if (text.length < 1 || text.length > 256) throw new InvalidArgumentError('It has 1 to 256 characters.');
  return text;
}

async function pack(
  { output, options }: { output: Output; options: PackOptions },
  words: readonly string[],
): Promise<undefined> {
  const { inputs, to } = parsePackInputs(words);
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
  const live = output.interactive ? new LiveLine() : undefined;
  const target = new LayoutTarget(reference);
  const opened = [];
  try {
    // `web.bmap` beside `web.root.img` and `web.esp.img` is a map of the disk that both are of.
    const names = inputs.length === 1 ? 'bmaptool' : 'own';
    const bmap = options.bmap ? names : 'none';
    for (const { file, ...about } of inputs)
      opened.push({ ...about, input: await openInput(file, { bmap }) });
    const packed = await packImage(target, {
      name: options.name,
      tag: reference.tag,
      level: options.level,
      parts: opened,
      onProgress: (doneBytes, totalBytes) =>
        live?.show({ title: `packing into ${to}`, doneBytes, totalBytes }),
    });
    live?.clear();
    const { digest, parts, packedBytes } = packed;
    const files = opened.map(({ name, input }) => ({
      part: name,
      file: input.name,
      ...(input.blockMap !== undefined && { blockMap: input.blockMap }),
    }));
    output.result({ kind: 'image-pack', target: target.name, digest, files, parts, packedBytes }, () =>
      [
        `${target.name}: ${digest}, ${formatBytes(packedBytes)} packed`,
        ...parts.map(({ name, sizeBytes, dataBytes }, index) => {
          const map = files[index]?.blockMap;
          const sizes = `${formatBytes(sizeBytes)}, of which ${formatBytes(dataBytes)} are data`;
          return `${name}: ${sizes}${map === undefined ? '' : `, by the block map ${map}`}`;
        }),
      ].join('\n'),
    );
  } finally {
    live?.clear();
    await target.close();
  }
  return undefined;
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
