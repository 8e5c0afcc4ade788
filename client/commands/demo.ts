/** `iguana demo`: everything once, without another word. */
import type { Command } from 'commander';
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
    summary: 'install a real Debian 13 into a virtual machine, and boot it',
    description:
      'Plans, builds, writes and boots it, until the installed system reports its first boot; then it is switched off.\n' +
      'The second time is quick: the image is in the store.',
    examples: [
      ['demo', 'watch it happen'],
      ['demo --boot', 'switch it on again, to log in'],
      ['demo --clean', 'switch it off and remove what it left'],
    ],
  })
    .option('--disk <file>', 'where the disk image goes; default: in the state folder')
    .option('--keep', 'switch it on again after the install, to log in')
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
  if (options.boot) return boot(output, iguana, await demos.machineOf(options.disk));
  const input = await demos.prepareDemo(iguana, options.disk);
  const { startInstall } = await import('../install/start.ts');
  const { machineId } = input;
  await startInstall(output, iguana, input);
  const { exitCode, snapshot } = await follow(output, iguana, machineId);
  if (exitCode !== EXIT.ok || !snapshot) return exitCode;
  output.line(demos.demoSummary(output, machineId, snapshot));
  return options.keep ? boot(output, iguana, machineId) : exitCode;
}

async function boot(output: Output, iguana: Iguana, machineId: string): Promise<ExitCode> {
  const { bootMachine } = await import('../demo/boot.ts');
  const access = await bootMachine(iguana, machineId, (line) => output.note(line));
  output.result({ kind: 'booted', machineId, ...access }, () => `It runs. Log in:\n  ${access.command}`);
  return EXIT.ok;
}
