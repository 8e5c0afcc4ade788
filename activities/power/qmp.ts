/** A client of QEMU's machine protocol: JSON lines over a socket (docs/interop/qmp-spec of QEMU). */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { MachineFiles } from './machine-files.ts';

/** What QEMU sends, as far as it is used here. */
interface Message {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: { readonly guest?: boolean };
}

/** One connection. QEMU serves one client at a time; a second one waits. */
export class Qmp {
  readonly #socket: Socket;
  readonly #waiting: { resolve(): void; reject(error: Error): void }[] = [];
  readonly #heardAll = Promise.withResolvers<void>();
  #guestShutDown = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    // A QEMU that is killed resets the connection. The reader of lines repeats the socket's errors, which would end this process.
    createInterface({ input: socket })
      .on('line', (line) => this.#take(JSON.parse(line) as Message))
      .on('error', () => undefined);
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => {
      this.#end(new Error('QEMU closed the connection'));
      this.#heardAll.resolve();
    });
  }

  /**
   * Connects and makes QEMU ready for commands.
   * @throws Error where nobody listens
   */
  static async connect(files: MachineFiles): Promise<Qmp> {
    const folder = await open(files.folder, 'r');
    try {
      // The short name that /proc has for the folder: see MachineFiles.socketName.
      const socket = connect(`/proc/self/fd/${folder.fd}/${files.socketName}`);
      await once(socket, 'connect');
      const qmp = new Qmp(socket);
      await qmp.command('qmp_capabilities');
      return qmp;
    } finally {
      await folder.close();
    }
  }

  /** Whether the guest has switched the machine off, or asked for it. */
  get guestShutDown(): boolean {
    return this.#guestShutDown;
  }

  /**
   * Resolves when the connection has ended and everything that came through it was heard: a busy process may learn of QEMU's end before it
   * reads QEMU's last words.
   */
  get heardAll(): Promise<void> {
    return this.#heardAll.promise;
  }

  /** Sends a command without arguments and waits for the answer. */
  async command(name: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ resolve, reject });
    this.#socket.write(`${JSON.stringify({ execute: name })}\n`);
    await promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(message: Message): void {
    if (message.event === 'SHUTDOWN') this.#guestShutDown ||= message.data?.guest === true;
    if ('return' in message) this.#waiting.shift()?.resolve();
    else if (message.error) this.#waiting.shift()?.reject(new Error(`QEMU says: ${message.error.desc}`));
  }

  #end(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
