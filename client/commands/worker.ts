/** `iguana worker`: one worker process, for those who run a cluster of their own. */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { runInForeground } from '../foreground.ts';
import { action, define, group } from './define.ts';

const WORKERS = {
  control: 'workflows and planning',
  builder: 'image builds',
  agent: 'the steps on one machine',
} as const;

/** Adds the commands. */
export function registerWorker(program: Command): void {
  const worker = group(program, 'worker', 'run one worker in the foreground, e.g. beside a Temporal cluster');
  for (const kind of ['control', 'builder'] as const) {
    define(worker, {
      usage: kind,
      summary: WORKERS[kind],
      examples: [[`worker ${kind}`, 'with Temporal where TEMPORAL_ADDRESS or Temporal’s configuration says']],
    }).action(action(() => run(kind, {})));
  }
  define(worker, {
    usage: 'agent',
    summary: WORKERS.agent,
    examples: [['worker agent --machine rack7-node3', 'needs the tools of the agent container']],
  })
    .requiredOption('--machine <id>', 'whose steps to do')
    .action(action<{ machine: string }>(({ options }) => run('agent', { IGUANA_MACHINE: options.machine })));
}

async function run(kind: keyof typeof WORKERS, env: NodeJS.ProcessEnv): Promise<number> {
  const program = fileURLToPath(new URL(`../../worker/${kind}.ts`, import.meta.url));
  return runInForeground(program, env);
}
