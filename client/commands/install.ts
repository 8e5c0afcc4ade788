/** `iguana install`: install a system onto a disk image or a disk of this host. */
import { type Command, Option } from 'commander';
import type { Target } from '../../activities/contract.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { action, define } from './define.ts';
import { connectStarting, follow } from './following.ts';

interface InstallOptions {
  readonly disk?: string;
  readonly size?: string;
  readonly yes?: boolean;
  readonly machine?: string;
  readonly firmware: 'uefi' | 'bios';
  readonly detach?: boolean;
}

/** Adds the command. */
export function registerInstall(program: Command): void {
  define(program, {
    usage: 'install <profile...>',
    summary: 'install onto a disk image, a disk of this host, or a machine that has enrolled',
    description:
      'Profiles are layers: later ones win. They are checked before anything is touched, every mistake at once.\n' +
      'Where the plan destroys data it is shown, and you are asked for the name of the disk; without a terminal the\n' +
      'install waits for `iguana approve` (exit status 4), or --yes consents beforehand.',
    examples: [
      ['install site.yaml web.yaml --disk web.img --size 16G', 'onto a new disk image'],
      ['install site.yaml --machine 4c4c4544-0042-…', 'onto a machine that was started from the boot image'],
      ['install site.yaml --disk /dev/disk/by-id/nvme-…', 'onto a disk of this host'],
      ['install site.yaml --disk web.img --detach', 'and let it work by itself'],
    ],
  })
    .option(
      '--disk <file|device>',
      'a disk image, made where it does not exist, or a whole disk; without it --machine installs itself',
    )
    .option('--size <size>', 'size of a new disk image, e.g. 16G; default 8G')
    .option('--yes', 'consent to whatever the plan destroys; kept in the history with your name')
    .option(
      '--machine <id>',
      'id of the machine; default: from the path of the disk image, or this host’s own',
    )
    .addOption(
      new Option('--firmware <type>', 'firmware of the machine that a disk image is for')
        .choices(['uefi', 'bios'])
        .default('uefi'),
    )
    .option('--detach', 'do not follow the install')
    .action(action(install));
}

async function install(
  { output, options }: { output: Output; options: InstallOptions },
  profiles: readonly string[],
): Promise<ExitCode> {
  // Before the profiles are read: this is about the command alone.
  const enrolled = options.disk === undefined ? enrolledMachine(options) : undefined;
  const [{ readLayers }, { checkMachineId, resolveTarget }, { startInstall }] = await Promise.all([
    import('../install/layers.ts'),
    import('../install/target.ts'),
    import('../install/start.ts'),
  ]);
  const layers = await readLayers(profiles);
  const { target, machineId } = enrolled ?? (await resolveTarget(options.disk ?? '', options.size));
  const id = options.machine === undefined ? machineId : checkMachineId(options.machine);
  await using iguana = await connectStarting(output);
  await startInstall(output, iguana, {
    machineId: id,
    target,
    layers,
    approval: options.yes ? { by: person(), reason: '--yes' } : 'ask',
    ...(target.kind === 'file' && { assumeFirmware: options.firmware }),
  });
  return options.detach ? EXIT.ok : (await follow(output, iguana, id)).exitCode;
}

/** A machine that was started from the boot image: its agent finds out which disks it has. */
function enrolledMachine({ machine, size }: InstallOptions): {
  readonly target: Target;
  readonly machineId: string;
} {
  if (machine === undefined)
    throw usageError('neither --disk nor --machine says what is installed', {
      remedy: '`iguana machine ls` lists the machines that have enrolled.',
    });
  if (size !== undefined)
    throw usageError('--size is for new disk images: it needs --disk', {
      remedy: 'Leave it out: the machine has the disks that it has.',
    });
  return { target: { kind: 'machine' }, machineId: machine };
}
