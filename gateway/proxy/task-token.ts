/**
 * Task tokens as machines see them. Whoever has a task's token can answer the task, so each is bound to the machine that
 * it was given to, by a MAC that any gateway of the state folder can verify: nothing is remembered, a restart loses nothing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const VERSION = Buffer.from([1]);
const MAC_BYTES = 32;

/** Binds tokens to machines. */
export class TaskTokens {
  readonly #key: Buffer;
  readonly #namespace: string;

  constructor(key: Buffer, namespace: string) {
    this.#key = key;
    this.#namespace = namespace;
  }

  /** @returns the token for this machine */
  wrap(machineId: string, token: Uint8Array): Buffer {
    return Buffer.concat([VERSION, this.#mac(machineId, token), token]);
  }

  /** @returns the server's token; undefined where this is none that was given to this machine */
  unwrap(machineId: string, wrapped: Uint8Array): Uint8Array | undefined {
    if (wrapped.length <= VERSION.length + MAC_BYTES || wrapped[0] !== VERSION[0]) return undefined;
    const mac = wrapped.subarray(VERSION.length, VERSION.length + MAC_BYTES);
    const token = wrapped.subarray(VERSION.length + MAC_BYTES);
    return timingSafeEqual(mac, this.#mac(machineId, token)) ? token : undefined;
  }

  #mac(machineId: string, token: Uint8Array): Buffer {
    // Neither a namespace nor an id holds a NUL: no two pairs give the same text.
    return createHmac('sha256', this.#key)
      .update(`${this.#namespace}\0${machineId}\0`)
      .update(token)
      .digest();
  }
}
