/** The record of what machines were refused: counted for Prometheus, and written to the log without any payload. */
import type { Logger } from 'pino';
import { Counter, Gauge, Registry } from 'prom-client';
import { FoldedLog } from './folded-log.ts';

/** Who is refused, where no certificate says who it is. */
export const NOBODY = 'none';

/** One refusal. */
export interface Denial {
  /** Id from a verified certificate, or {@link NOBODY}. */
  readonly machine: string;
  /** gRPC method, HTTP route, or `connect`: from a fixed set, since it becomes a label. */
  readonly method: string;
  /** From a fixed set, too. */
  readonly reason: string;
}

/** Metrics and log of one gateway process. */
export class GatewayRecord {
  readonly registry = new Registry();
  readonly logger: Logger;
  /** For everything that a stranger can cause. */
  readonly folded: FoldedLog;
  readonly #denied = this.#counter('denied', 'Requests and connections refused', [
    'machine',
    'method',
    'reason',
  ] as const);
  readonly #calls = this.#counter('calls', 'gRPC calls by their outcome', ['method', 'code'] as const);
  readonly #enrolments = this.#counter('enrolments', 'Requests for certificates', ['outcome'] as const);
  readonly #handshakes = this.#counter('tls_failures', 'TLS handshakes that failed', ['reason'] as const);
  readonly #connections = new Gauge({
    name: 'iguana_gateway_connections',
    help: 'Open connections',
    registers: [this.registry],
  });

  constructor(logger: Logger) {
    this.logger = logger;
    this.folded = new FoldedLog(logger);
  }

  /** @param details what helps to find the culprit; never payloads */
  denied(
    denial: Denial,
    details: { readonly address?: string | undefined; readonly message?: string },
  ): void {
    this.#denied.inc({ ...denial });
    const key = `${denial.machine} ${denial.method} ${denial.reason}`;
    this.folded.say(key, { level: 'warn', details: { ...denial, ...details }, message: 'denied' });
  }

  call(method: string, code: string): void {
    this.#calls.inc({ method, code });
  }

  /** @param details of a certificate that was given; none where none was, which is a denial */
  enrolment(outcome: string, details?: object): void {
    this.#enrolments.inc({ outcome });
    if (details) this.logger.info({ outcome, ...details }, 'enrolment');
  }

  handshakeFailed(reason: string, address: string | undefined): void {
    this.#handshakes.inc({ reason });
    const denial = { machine: NOBODY, method: 'connect', reason: `tls: ${reason}` };
    this.denied(denial, { address });
  }

  connections(change: 1 | -1): void {
    this.#connections.inc(change);
  }

  close(): void {
    this.folded.close();
  }

  #counter<const L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({
      name: `iguana_gateway_${name}_total`,
      help,
      labelNames,
      registers: [this.registry],
    });
  }
}
