/** How much a machine, or an address, may ask for at once, and how long it may take. */
import { RateLimiterMemory } from 'rate-limiter-flexible';

/** Limits of one gateway process. */
export interface Limits {
  /** Open connections of a machine; an agent has one for gRPC and up to four for blobs, and one more while it renews its certificate. Default 8. */
  readonly machineConnections: number;
  /** Calls of a machine that are under way; an agent has less than ten. Default 64. */
  readonly machineCalls: number;
  /** Calls of a machine in a second; an agent that heartbeats four steps at once makes ten. Default 100. */
  readonly machineCallsPerSecond: number;
  /** Bytes of requests of a machine that are held in memory. Default 16 MiB. */
  readonly machineBytes: number;
  /** Connections without a certificate from one address. Default 64. */
  readonly strangerConnections: number;
  /** Requests of strangers from one address in a second: enrolling. Default 20. */
  readonly strangerRequestsPerSecond: number;
  /** New connections from one address in a second, before anything is known of them. Default 200. */
  readonly newConnectionsPerSecond: number;
  /** Bytes of one gRPC message. Default 4 MiB, which is Temporal's own limit. */
  readonly messageBytes: number;
  /** Milliseconds of a TLS handshake. Default 10 s. */
  readonly handshakeMs: number;
  /** Milliseconds that who has shown no certificate stays connected: it has come to enrol, which takes a second. Default 30 s. */
  readonly strangerMs: number;
  /**
   * Milliseconds in which nothing comes or goes on a machine's HTTP/1.1 connection, which has no pings: the machine has been switched off, or has no
   * more use for it. Default 30 s.
   */
  readonly silenceMs: number;
  /** Milliseconds in which a request has come, or is given up: a gRPC message of 4 MiB, the body of anything else. Default 30 s. */
  readonly requestMs: number;
  /** Milliseconds of a gRPC call; a worker's poll lasts a minute and a bit. Default 120 s. */
  readonly callMs: number;
}

/** See {@link Limits}. */
export const DEFAULT_LIMITS: Limits = {
  machineConnections: 8,
  machineCalls: 64,
  machineCallsPerSecond: 100,
  machineBytes: 16 * 1024 * 1024,
  strangerConnections: 64,
  strangerRequestsPerSecond: 20,
  newConnectionsPerSecond: 200,
  messageBytes: 4 * 1024 * 1024,
  handshakeMs: 10_000,
  strangerMs: 30_000,
  silenceMs: 30_000,
  requestMs: 30_000,
  callMs: 120_000,
};

/** Counts things that are under way, by their owner. */
export class Tally {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns what gives it back, any number of times; undefined where it would be too much */
  take(owner: string, amount = 1): (() => void) | undefined {
    const before = this.#counts.get(owner) ?? 0;
    if (before + amount > this.#max) return undefined;
    this.#counts.set(owner, before + amount);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const rest = (this.#counts.get(owner) ?? 0) - amount;
      if (rest > 0) this.#counts.set(owner, rest);
      else this.#counts.delete(owner);
    };
  }
}

/** Counts events in each second, by their owner. */
export class Rate {
  readonly #limiter: RateLimiterMemory;

  constructor(perSecond: number) {
    this.#limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  }

  /** @returns whether there may be one more */
  async allows(owner: string): Promise<boolean> {
    // It rejects with its counters, which are no error.
    return await this.#limiter.consume(owner).then(
      () => true,
      () => false,
    );
  }
}
