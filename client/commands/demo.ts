/** `iguana demo`: everything once, without another word. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { action, define } from './define.ts';
import { connectStarting, follow } from './following.ts';

interface DemoOptions {
  readonly disk?: string;
  readonly clean?: boolean;
}

/** Adds the command. */
export function registerDemo(program: Command): void {
  define(program, {
    usage: 'demo',
    summary: 'install a real Debian 13 into a virtual machine, and boot it',
    description:
      'Plans, builds, writes and boots it, until the installed system reports its first boot. The second time is quick:\n' +
      'the image is in the store.',
    examples: [
      ['demo', 'watch it happen'],
      ['demo --clean', 'remove what it left'],
    ],
  })
    .option('--disk <file>', 'where the disk image goes; default: in the state folder')
    .option('--clean', 'end a running demo and remove its files')
    .action(action(demo));
}

async function demo({ output, options }: { output: Output; options: DemoOptions }): Promise<ExitCode> {
  const demos = await import('../demo/demo.ts');
  await using iguana = await connectStarting(output);
  if (options.clean) {
    const removed = await demos.cleanDemo(iguana, person());
    output.result(
      { removed },
      () => removed.map((path) => `removed ${path}`).join('\n') || 'nothing to remove',
    );
    return EXIT.ok;
  }
  const prepared = await demos.prepareDemo(iguana, options.disk);
  const { startInstall } = await import('../install/start.ts');
  await startInstall(output, iguana, prepared.input);
  const { exitCode, snapshot } = await follow(output, iguana, prepared.input.machineId);
  if (exitCode === EXIT.ok && snapshot) output.line(demos.demoSummary(output, prepared, snapshot));
  return exitCode;
}
