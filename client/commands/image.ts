/** `iguana image`: disk images as files, and the images in the store. */
import { type Command, Option } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { action, define, group } from './define.ts';
import { connectStarting, follow } from './following.ts';

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
}

async function build(
  { output, options }: { output: Output; options: BuildOptions },
  profiles: readonly string[],
): Promise<ExitCode> {
  const [{ readLayers }, { GENERIC_LAYER, prepareImageFile }, { startInstall }] = await Promise.all([
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
  const exitCode = await follow(output, iguana, file.machineId);
  if (exitCode !== EXIT.ok) return exitCode;
  const made = await file.finish();
  output.result(
    { kind: 'image', ...made },
    () => `${made.path}: ${made.format}, ${formatBytes(made.bytes)} on the disk`,
  );
  return EXIT.ok;
}
