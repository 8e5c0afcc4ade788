/**
 * Ports that one server keeps, also while nobody listens on them: what is killed and started again finds its port free, and
 * no client ever speaks to the part of another server that took it meanwhile.
 */
import { join } from 'node:path';
import { canListen } from './free-port.ts';
import { type Lock, tryLock } from './lock.ts';

/** Servers of one host lie so far apart. Below the ports that the kernel gives to outgoing connections, from 32768 on. */
const STRIDE = 100;
const LAST = 32_000;

/** The leases of one process; they end with it. */
export class PortLeases {
  readonly #folder: string;
  readonly #locks: Lock[] = [];

  /** @param folder of the locks, the same for all servers of the host; made */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Takes a port.
   * @returns false where another server has it, or anything listens on it
   */
  async tryTake(port: number): Promise<boolean> {
    const lock = await tryLock(join(this.#folder, `${port}.lock`));
    if (!lock) return false;
    if ((await canListen(port)) === undefined) {
      await lock.release();
      return false;
    }
    this.#locks.push(lock);
    return true;
  }

  /**
   * Takes the first that is free of `first`, `first` + 100, `first` + 200 …
   * @throws Error where none is
   */
  async takeFrom(first: number): Promise<number> {
    for (let port = first; port < LAST; port += STRIDE) {
      if (await this.tryTake(port)) return port;
    }
    throw new Error(`taking a port for a server: ${first} and every ${STRIDE}th after it are taken`);
  }

  /** Gives all of them back. */
  async release(): Promise<void> {
    await Promise.all(this.#locks.splice(0).map((lock) => lock.release()));
  }
}
