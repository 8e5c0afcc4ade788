/** `iguana demo`: everything once, without another word. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { statePaths } from '../../host/state.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Iguana } from '../library.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { action, define } from './define.ts';
import { connectStarting, follow } from './following.ts';

interface DemoOptions {
  readonly disk?: string;
  readonly keep?: boolean;
  readonly boot?: boolean;
  readonly clean?: boolean;
}

/** Adds the command. */
export function registerDemo(program: Command): void {
  define(program, {
    usage: 'demo',
    summary: 'an empty virtual machine installs itself with a real Debian 13, and boots it',
    description:
      'The machine starts from the boot image, enrols at the gateway of this host, and takes the steps of its install. In the middle of the\n' +
      'disk write its power is cut; it starts again and goes on where it was, until the installed system reports its first boot; then it is\n' +
      'switched off. The second time is quicker: boot image and image are in the store.',
    examples: [
      ['demo', 'watch it happen'],
      ['demo --boot', 'switch it on again, to log in'],
      ['demo --clean', 'switch it off and remove what it left'],
    ],
  })
    .option('--disk <file>', 'where the disk image goes; default: in the state folder')
    .option('--keep', 'let it run after the install, to log in')
    .option('--boot', 'only switch on what the last demo installed')
    .option('--clean', 'end a running demo and remove its files')
    .action(action(demo));
}

async function demo({ output, options }: { output: Output; options: DemoOptions }): Promise<ExitCode> {
  const demos = await import('../demo/demo.ts');
  await using iguana = await connectStarting(output);
  if (options.clean) {
    const removed = await demos.cleanDemo(iguana, person());
    output.result({ kind: 'removed', removed }, () => `removed ${removed}`);
    return EXIT.ok;
  }
  if (options.boot) return boot(output, iguana, await demos.installedMachine());
  const { machine, input } = await demos.prepareDemo(iguana, options.disk, (line) => output.note(line));
  const [{ startInstall }, { powerCut }] = await Promise.all([
    import('../install/start.ts'),
    import('../demo/power-cut.ts'),
  ]);
  const { machineId } = machine;
  await startInstall(output, iguana, input);
  await iguana.switchOn(machine);
  output.note(`· an empty machine is switched on; what it says is in ${consoleOf(machineId)}`);
  const { exitCode, snapshot } = await follow(output, iguana, machineId, {
    onSnapshot: powerCut(iguana, machineId),
  });
  if (exitCode !== EXIT.ok || !snapshot) return exitCode;
  output.line(demos.demoSummary(output, machine, snapshot));
  if (options.keep) return boot(output, iguana, machine);
  await iguana.stopMachine(machineId);
  return exitCode;
}

const consoleOf = (machineId: string): string => join(statePaths().consoles, `${machineId}.log`);

async function boot(output: Output, iguana: Iguana, machine: VirtualMachineInput): Promise<ExitCode> {
  const { bootMachine } = await import('../demo/boot.ts');
  const { machineId } = machine;
  const access = await bootMachine(iguana, machine, (line) => output.note(line));
  output.result({ kind: 'booted', machineId, ...access }, () => `It runs. Log in:\n  ${access.command}`);
  return EXIT.ok;
}
