/** A network of its own for one machine of QEMU's: a namespace with a tap device, out of which no way leads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { withLock } from '../../host/lock.ts';
import { statePaths } from '../../host/state.ts';
import { killIfThere } from '../support/kill.ts';

/** Names in a namespace are nobody else's. */
const TAP = 'tap0';
/** The namespace's name ends with the process that has made it. */
const PREFIX = 'iguana-test-';

/** Made by {@link IsolatedNetwork.make}; whoever makes it removes it. */
export class IsolatedNetwork {
  /** What a program's words begin with where it shall run in this network. */
  readonly within: readonly string[];
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
    this.within = ['ip', 'netns', 'exec', name];
  }

  /**
   * @param address of this host in it, with the length of the network's part
   * @throws Error with what ip(8) said; nothing is left behind then
   */
  static async make(address: string): Promise<IsolatedNetwork> {
    await withLock(join(statePaths().cache, 'test/networks.lock'), removeAbandoned);
    const name = `${PREFIX}${process.pid}`;
    await execa('ip', ['netns', 'add', name]);
    const network = new IsolatedNetwork(name);
    try {
      for (const words of [
        'link set lo up',
        `tuntap add ${TAP} mode tap`,
        `address add ${address} dev ${TAP}`,
        `link set ${TAP} up`,
      ])
        await execa('ip', ['-netns', name, ...words.split(' ')]);
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  /** QEMU's arguments for the one network card in it. */
  card(): string[] {
    return [
      ...['-netdev', `tap,id=net,ifname=${TAP},script=no,downscript=no`],
      // Without a ROM the firmware's own driver is what starts from the network.
      ...['-device', 'virtio-net-pci,netdev=net,romfile=,bootindex=0'],
    ];
  }

  /**
   * Starts a server in it, and waits until it is ready.
   * @param ready what it says then
   * @returns what ends it
   * @throws Error with all that it said, where it ends before
   */
  async serve(
    program: string,
    args: readonly string[],
    ready: RegExp,
    env: NodeJS.ProcessEnv = {},
  ): Promise<() => Promise<void>> {
    const [ip = '', ...words] = [...this.within, program, ...args];
    const child = spawn(ip, words, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const exit = once(child, 'exit');
    let said = '';
    await new Promise<void>((resolve, reject) => {
      for (const output of [child.stdout, child.stderr])
        output.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          if (ready.test(said)) resolve();
        });
      exit.then(() => reject(new Error(`${program} ended: ${said}`)), reject);
    });
    return async () => {
      child.kill('SIGKILL');
      await exit;
    };
  }

  /** Ends what runs in it, a machine too whose test has given up; the tap device goes with the namespace. */
  async remove(): Promise<void> {
    await removeNamespace(this.#name);
  }
}

async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await execa('ip', ['netns', 'pids', name]);
  for (const pid of stdout.split('\n').filter(Boolean)) killIfThere(Number(pid));
  await execa('ip', ['netns', 'delete', name]);
}

/** Those of tests that were killed, also of one that had this process's id. */
async function removeAbandoned(): Promise<void> {
  const { stdout } = await execa('ip', ['netns', 'list']);
  for (const [, name = '', pid = ''] of stdout.matchAll(new RegExp(`^(${PREFIX}(\\d+))\\b`, 'gm')))
    if (Number(pid) === process.pid || !existsSync(`/proc/${pid}`)) await removeNamespace(name);
}
