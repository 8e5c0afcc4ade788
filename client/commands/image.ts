/** `iguana image`: disk images as files, and the images in the store. */
import { type Command, Option } from 'commander';
import { statePaths } from '../../host/state.ts';
import type { ImageStore } from '../../store/store.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { formatBytes, formatTime, shortDigest } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { action, define, group } from './define.ts';
import { registerImageCopy } from './image-copy.ts';
import { registerImageInspect } from './image-inspect.ts';
import { registerImagePack } from './image-pack.ts';
import { registerImageSign } from './image-sign.ts';
import { registerImageWrite } from './image-write.ts';

interface BuildOptions {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
  readonly size?: string;
  readonly force?: boolean;
}

/** Adds the commands. */
export function registerImage(program: Command): void {
  const image = group(program, 'image', 'disk images as files, and the images in the store');
  define(image, {
    usage: 'build <profile...>',
    summary: 'make a disk image that can be cloned',
    description:
      'The same as an install, from the same manifest, but without an identity: machine-id, SSH host keys and host name\n' +
      'are made at the first boot. The file appears under its name when it is whole.',
    examples: [
      ['image build site.yaml web.yaml -o web.img', 'a raw disk image'],
      ['image build site.yaml -o web.qcow2 --format qcow2', 'for QEMU and libvirt'],
    ],
  })
    .requiredOption('-o, --file <file>', 'the disk image to make')
    .addOption(new Option('--format <format>', 'format of the file').choices(['raw', 'qcow2']).default('raw'))
    .option('--size <size>', 'size of the disk, e.g. 16G; default 8G')
    .option('--force', 'replace the file where it exists')
    .action(action(build));
  define(image, {
    usage: 'ls',
    summary: 'list the images in the store',
    examples: [['image ls --output json', 'with all digests']],
  }).action(action(list));
  define(image, {
    usage: 'gc',
    summary: 'remove what no image in the store needs',
    description: 'With --all, images too: all but those that an unfinished install needs.',
    examples: [['image gc --all --dry-run', 'what would be removed']],
  })
    .option('--all', 'remove images too')
    .option('--dry-run', 'only tell')
    .action(action(collect));
  registerImagePack(image);
  registerImageInspect(image);
  registerImageCopy(image);
  registerImageSign(image);
  registerImageWrite(image);
}

async function build(
  { output, options }: { output: Output; options: BuildOptions },
  profiles: readonly string[],
): Promise<ExitCode> {
  const [{ connectStarting, follow }, { readLayers }, { GENERIC_LAYER, prepareImageFile }, { startInstall }] =
    await Promise.all([
      import('./following.ts'),
      import('../install/layers.ts'),
      import('../install/image-file.ts'),
      import('../install/start.ts'),
    ]);
  const layers = await readLayers(profiles);
  const file = await prepareImageFile(options.file, options);
  await using iguana = await connectStarting(output);
  await file.clear(iguana);
  await startInstall(output, iguana, {
    machineId: file.machineId,
    target: file.target,
    layers: [...layers, GENERIC_LAYER],
    approval: { by: person(), reason: 'a new file' },
    identity: 'generic',
  });
  const { exitCode } = await follow(output, iguana, file.machineId);
  if (exitCode !== EXIT.ok) return exitCode;
  const made = await file.finish();
  output.result(
    { kind: 'image', ...made },
    () => `${made.path}: ${made.format}, ${formatBytes(made.bytes)} on the disk`,
  );
  return EXIT.ok;
}

async function list({ output }: { output: Output }): Promise<ExitCode> {
  const images = await (await store()).list();
  const { table } = await import('../output/table.ts');
  output.result(images, () =>
    images.length === 0
      ? 'no images'
      : table(
          ['IMAGE', 'MADE', 'PACKAGES', 'DATA', 'FILESYSTEM', 'FROM'],
          images.map(({ imageDigest, createdAt, packageCount, dataBytes, rootFilesystem, origin }) => [
            shortDigest(imageDigest),
            formatTime(createdAt),
            String(packageCount),
            formatBytes(dataBytes),
            rootFilesystem,
            origin?.reference ?? 'built here',
          ]),
        ),
  );
  return EXIT.ok;
}

async function collect({
  output,
  options,
}: {
  output: Output;
  options: { all?: boolean; dryRun?: boolean };
}): Promise<ExitCode> {
  const inUse = options.all ? await imagesInUse() : undefined;
  const garbage = await (await store()).collectGarbage({
    dryRun: options.dryRun ?? false,
    ...(inUse && { keep: ({ imageDigest }) => inUse.has(imageDigest) }),
  });
  const bytes = garbage.reduce((sum, entry) => sum + entry.bytes, 0);
  const verb = options.dryRun ? 'would remove' : 'removed';
  output.result({ dryRun: options.dryRun ?? false, bytes, garbage }, () =>
    [...garbage.map(({ path }) => `${verb} ${path}`), `${verb} ${formatBytes(bytes)}`].join('\n'),
  );
  return EXIT.ok;
}

/** Images of installs that have not ended. Without a server nobody can say so, and nothing is removed. */
async function imagesInUse(): Promise<ReadonlySet<string>> {
  const { Iguana } = await import('../library.ts');
  await using iguana = Iguana.connect();
  const used = new Set<string>();
  for await (const { imageDigest } of iguana.installs('running')) if (imageDigest) used.add(imageDigest);
  return used;
}

async function store(): Promise<ImageStore> {
  const { ImageStore } = await import('../../store/store.ts');
  return new ImageStore(statePaths().store);
}
