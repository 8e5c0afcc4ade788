/**
 * A whole Iguana of its own for a test: state folder, Temporal, workers, agents. Only the cache (packages, Temporal, container
 * layers) is shared with everything else on the host. Parts of it can be killed, and it can be started again.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { Iguana } from '../../client/library.ts';
import { openEngine } from '../../host/engine/open.ts';
import { findServer } from '../../host/server-record.ts';
import { type StatePaths, statePaths } from '../../host/state.ts';
import { killIfThere } from '../support/kill.ts';

const SERVER = fileURLToPath(new URL('../../worker/server.ts', import.meta.url));

/** What can be killed. */
export type Victim = 'agent' | 'workers' | 'temporal' | 'gateway' | 'all';

/** The server's children that belong to each. */
const PROCESSES: Readonly<Record<Victim, readonly string[]>> = {
  agent: [],
  workers: ['control', 'builder'],
  temporal: ['temporal'],
  gateway: ['gateway'],
  all: ['temporal', 'control', 'builder', 'gateway'],
};

/** One Iguana. */
export class Site {
  readonly paths: StatePaths;
  readonly environment: NodeJS.ProcessEnv;
  #server: ChildProcess | undefined;

  /**
   * @param root its state folder; made, and removed by {@link Site.remove}
   * @param environment of the server, besides
   */
  constructor(root: string, environment: NodeJS.ProcessEnv = {}) {
    this.environment = { ...process.env, ...environment, IGUANA_STATE: root };
    this.paths = statePaths(this.environment);
  }

  /** Starts the server and waits until it is ready. */
  async start(): Promise<void> {
    await mkdir(this.paths.logs, { recursive: true });
    const log = await open(join(this.paths.logs, 'server.log'), 'a');
    this.#server = spawn(process.execPath, [SERVER], {
      env: this.environment,
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    while (!(await findServer(this.paths))) {
      if (this.#server.exitCode !== null) throw new Error(`the server ended: ${await this.serverLog()}`);
      await sleep(100);
    }
  }

  /** A library connection to this Iguana. */
  connect(): Iguana {
    return Iguana.connect({ paths: this.paths });
  }

  /** Where installed systems report, as this host reaches it. */
  async reportAddress(): Promise<string> {
    const record = await findServer(this.paths);
    if (!record) throw new Error('the server does not run');
    return record.reportAddress;
  }

  /** Stops the server in order. */
  async stop(): Promise<void> {
    if (!this.#server || this.#server.exitCode !== null) return;
    const ended = once(this.#server, 'exit');
    this.#server.kill('SIGTERM');
    await ended;
  }

  /**
   * Sends SIGKILL. `all` kills the server first, so that it cannot start anything again, and starts a new one.
   * @returns how many there were to kill
   */
  async kill(victim: Victim): Promise<number> {
    const pids = this.#pids(...PROCESSES[victim]);
    if (victim === 'all') this.#server?.kill('SIGKILL');
    for (const pid of pids) killIfThere(pid);
    const agents = victim === 'agent' || victim === 'all' ? await this.#killAgents() : 0;
    if (victim === 'all') await this.start();
    return pids.length + agents;
  }

  /** Stops everything and removes the state folder. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.paths.root, { recursive: true, force: true });
  }

  /** The end of the server's log. */
  async serverLog(): Promise<string> {
    return (await readFile(join(this.paths.logs, 'server.log'), 'utf8')).split('\n').slice(-20).join('\n');
  }

  /** Containers of this Iguana that exist now. */
  async agents(): Promise<Docker.ContainerInfo[]> {
    const { docker } = await openEngine(this.paths);
    return await docker.listContainers({
      all: true,
      filters: { label: [`org.iguana.state=${this.paths.root}`] },
    });
  }

  async #killAgents(): Promise<number> {
    const { docker } = await openEngine(this.paths);
    const running = (await this.agents()).filter(({ State }) => State === 'running');
    for (const { Id } of running) await docker.getContainer(Id).kill({ signal: 'SIGKILL' });
    return running.length;
  }

  /** Children of the server by what they run. */
  #pids(...names: readonly string[]): number[] {
    const parent = this.#server?.pid;
    if (parent === undefined) return [];
    const table = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(parent)], { encoding: 'utf8' });
    return table
      .split('\n')
      .filter((line) =>
        names.some((name) =>
          (name === 'temporal' ? / server start-dev/ : new RegExp(`/${name}\\.ts|/${name}/main\\.ts`)).test(
            line,
          ),
        ),
      )
      .map((line) => Number.parseInt(line.trim(), 10));
  }
}

/** Loop devices that still hold a file. */
export function loopDevicesOf(path: string): string {
  return existsSync(path) ? execFileSync('losetup', ['-j', path], { encoding: 'utf8' }).trim() : '';
}
