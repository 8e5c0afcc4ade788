/** Keeps one child process running for as long as the server lives, and no longer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** First and longest wait before a child that ended is started again; doubled each time, reset after a minute of life. */
const RESTART_MS = { first: 500, longest: 30_000, lived: 60_000 };

/** A child that does not obey SIGTERM is killed after this time: everything it does can be interrupted. */
const STOP_DEADLINE_MS = 15_000;

/** What to run. */
export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A supervised child. */
export class SupervisedChild {
  readonly #spec: ChildSpec;
  readonly #logs: string;
  readonly #logger: Logger;
  #process: ChildProcess | undefined;
  #stopped = new AbortController();
  #loop: Promise<void> | undefined;

  /** @param logs folder that gets `NAME.log` */
  constructor(spec: ChildSpec, logs: string, logger: Logger) {
    this.#spec = spec;
    this.#logs = logs;
    this.#logger = logger.child({ child: spec.name });
  }

  /** Starts it, and starts it again whenever it ends. */
  async start(): Promise<void> {
    await mkdir(this.#logs, { recursive: true });
    this.#loop = this.#keepRunning();
  }

  /** Ends it, in order; kills it when it does not end. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#process?.kill('SIGTERM');
    const kill = setTimeout(() => this.#process?.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#loop;
    clearTimeout(kill);
  }

  async #keepRunning(): Promise<void> {
    let wait = RESTART_MS.first;
    while (!this.#stopped.signal.aborted) {
      const begun = Date.now();
      const end = await this.#runOnce();
      if (this.#stopped.signal.aborted) return;
      if (Date.now() - begun > RESTART_MS.lived) wait = RESTART_MS.first;
      this.#logger.warn({ end, wait }, 'a child ended; it is started again');
      await sleep(wait, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, RESTART_MS.longest);
    }
  }

  #runOnce(): Promise<string> {
    const { name, command, args, env } = this.#spec;
    const log = createWriteStream(join(this.#logs, `${name}.log`), { flags: 'a', mode: 0o600 });
    return new Promise((resolve) => {
      // pdeathsig: when the server is killed, its children end too, and the next server starts its own.
      const child = spawn('setpriv', ['--pdeathsig', 'TERM', command, ...args], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      this.#process = child;
      child.stdout.pipe(log, { end: false });
      child.stderr.pipe(log, { end: false });
      const ended = (how: string) => {
        this.#process = undefined;
        log.end();
        resolve(how);
      };
      child.once('error', (error) => ended(error.message));
      child.once('close', (code, signal) => ended(signal ?? `exit status ${code}`));
    });
  }
}
