/** Runs the `iguana` command as people do: as a process, judged by its exit status and its output. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { folderWith } from './folder.ts';

const MAIN = fileURLToPath(new URL('../../client/main.ts', import.meta.url));

/** What a command said. */
export interface Said {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line in an environment of its own. */
export class CommandLine {
  readonly state: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv = {}) {
    // A state folder of its own, so that nothing of this host is touched or seen.
    this.state = env.IGUANA_STATE ?? folderWith();
    this.#env = { TEMPORAL_ADDRESS: '', NO_COLOR: '1', ...env, IGUANA_STATE: this.state };
  }

  /** Starts it and does not wait. */
  start(args: readonly string[], options: { input?: string; cwd?: string } = {}) {
    return execa(process.execPath, [MAIN, ...args], {
      reject: false,
      env: this.#env,
      stdin: options.input === undefined ? 'ignore' : 'pipe',
      ...options,
    });
  }

  /** Runs it to its end. */
  async run(args: readonly string[], options: { input?: string; cwd?: string } = {}): Promise<Said> {
    const { exitCode: status, stdout, stderr } = await this.start(args, options);
    return { status, stdout, stderr };
  }

  /** Runs it at a terminal of its own (script(1)), and answers its question. */
  async atTerminal(args: readonly string[], { asked, answer }: { asked: string; answer: string }) {
    const line = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
    const terminal = execa('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
      reject: false,
      env: this.#env,
      stdin: 'pipe',
    });
    let seen = '';
    terminal.stdout.on('data', (text: Buffer) => {
      const before = seen.includes(asked);
      seen += text.toString();
      if (!before && seen.includes(asked)) terminal.stdin.write(`${answer}\n`);
    });
    return terminal;
  }

  /** Runs it with `--output json`; each line is one document. */
  async json(args: readonly string[]): Promise<{ status: number | undefined; documents: unknown[] }> {
    const { status, stdout } = await this.run([...args, '--output', 'json']);
    return {
      status,
      documents: stdout
        .split('\n')
        .filter(Boolean)
        .map((line): unknown => JSON.parse(line)),
    };
  }
}
