/** Temporal for machines: each call is judged by itself, whatever connection it comes on. */
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { ACCESS_MESSAGES, type MachineAccess, type Peer } from '../access.ts';
import type { MachineCertificate } from '../authority/machine-certificate.ts';
import { type Limits, Rate, Tally } from '../limits.ts';
import { type GatewayRecord, NOBODY } from '../record.ts';
import { Denied, METHODS, type Method } from './methods.ts';
import type { MachinePayloads } from './payloads.ts';
import type { TaskTokens } from './task-token.ts';
import { CallFailed, readMessage, sendFailure, sendMessage, timeoutOf } from './wire.ts';

/**
 * A poll ends this long before its machine's certificate does: Temporal answers it in its last second, and a task that came in the very
 * moment in which the certificate expires could not be handed over.
 */
const POLL_MARGIN_MS = 2_000;
/** Temporal refuses shorter polls; a worker whose poll is refused waits longer before the next one. */
const SHORTEST_POLL_MS = 2_500;

const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';
/** Names that may become labels of metrics: a stranger must not make up new ones. */
const KNOWN = new Set(
  // The class is protobufjs' reflection of the service, which its types do not tell.
  Object.keys(
    (proto.temporal.api.workflowservice.v1.WorkflowService as unknown as { methods: object }).methods,
  ),
);

/** The answer to a poll for which there is none. */
const NO_TASK = new Uint8Array(0);

/** What the proxy needs. */
export interface ProxyOptions {
  /** To Temporal. */
  readonly connection: Connection;
  readonly namespace: string;
  readonly tokens: TaskTokens;
  readonly payloads: MachinePayloads;
  readonly access: MachineAccess;
  readonly limits: Limits;
  readonly record: GatewayRecord;
}

/** A call that is under way. */
interface Call {
  readonly name: string;
  readonly peer: Peer;
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
}

/** The proxy of one gateway process. */
export class TemporalProxy {
  readonly #options: ProxyOptions;
  readonly #calls: Tally;
  readonly #bytes: Tally;
  readonly #rate: Rate;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#calls = new Tally(options.limits.machineCalls);
    this.#bytes = new Tally(options.limits.machineBytes);
    this.#rate = new Rate(options.limits.machineCallsPerSecond);
  }

  /** Serves one call, to its end. Never rejects. */
  async serve(peer: Peer, request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const { record } = this.#options;
    const path = request.url;
    const method = path.startsWith(SERVICE) ? path.slice(SERVICE.length) : '';
    const name = KNOWN.has(method) ? method : 'other';
    // A caller that goes away is no error of ours.
    request.on('error', () => undefined);
    try {
      const answer = await this.#judge({ name, peer, request, response });
      sendMessage(response, answer);
      record.call(name, status[status.OK]);
    } catch (error) {
      const failure = CallFailed.from(error);
      if (failure instanceof Denied) {
        const machine = peer.certificate?.machineId ?? NOBODY;
        const details = { address: peer.address, message: failure.message, path: path.slice(0, 200) };
        record.denied({ machine, method: name, reason: failure.reason }, details);
      } else if (failure.code === status.INTERNAL && !(error instanceof CallFailed)) {
        record.logger.error({ err: error, method: name }, 'serving a call failed');
      }
      record.call(name, status[failure.code]);
      try {
        sendFailure(response, failure);
      } catch (gone) {
        record.logger.debug({ err: gone, method: name }, 'nobody waits for the failure of a call');
      }
    }
  }

  async #judge(call: Call): Promise<Uint8Array> {
    const { name, peer } = call;
    const machine = await this.#admit(peer);
    const { machineId } = machine;
    const method = METHODS.get(name);
    if (!method) throw new Denied('method', `machines may not call ${name}`);
    if (!(await this.#rate.allows(machineId))) throw exhausted('rate', 'too many calls a second');
    const release = this.#calls.take(machineId);
    if (!release) throw exhausted('calls', 'too many calls at once');
    try {
      return await this.#forward(call, machine, method);
    } finally {
      release();
    }
  }

  async #admit(peer: Peer): Promise<MachineCertificate> {
    const machine = await this.#options.access.check(peer);
    if (typeof machine !== 'string') return machine;
    throw new Unauthenticated(machine, ACCESS_MESSAGES[machine]);
  }

  /** Keeps a poll until its certificate expires: by then the machine polls with the next one. */
  async #outlast({ notAfter }: MachineCertificate, signal: AbortSignal): Promise<void> {
    try {
      await sleep(Math.max(0, notAfter - Date.now()), undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #forward(call: Call, machine: MachineCertificate, method: Method): Promise<Uint8Array> {
    const { connection, namespace, tokens, payloads, limits } = this.#options;
    const { name, peer, request, response } = call;
    const { machineId } = machine;
    const received = Date.now();
    const timeout = Math.min(timeoutOf(header(request, 'grpc-timeout')) ?? limits.callMs, limits.callMs);
    const held: (() => void)[] = [];
    try {
      const bytes = await readMessage(request, {
        maxBytes: limits.messageBytes,
        timeoutMs: limits.requestMs,
        reserve: (amount) => {
          const release = this.#bytes.take(machineId, amount);
          if (release) held.push(release);
          return release !== undefined;
        },
      }).catch((error: unknown) => {
        // Whoever sends too much, or too slowly, is in the record, too.
        if (!(error instanceof CallFailed)) throw error;
        if (error.code === status.RESOURCE_EXHAUSTED) throw exhausted('size', error.message);
        if (error.code === status.DEADLINE_EXCEEDED) throw new TooSlow('limit-time', error.message);
        throw error;
      });
      const gone = new AbortController();
      // A poll that nobody waits for any longer would take a task with it.
      response.stream.once('close', () => gone.abort());
      if (response.stream.destroyed) gone.abort();
      const checkCaller = async (): Promise<void> => {
        if (gone.signal.aborted) throw new CallFailed(status.CANCELLED, 'the machine no longer waits');
        // A poll lasts a minute, in which the machine may have been locked out.
        await this.#admit(peer);
      };
      const service = connection.workflowService;
      const context = { machineId, namespace, tokens, payloads, service, checkCaller };
      const metadata = clientOf(request);
      const isPoll = name === 'PollActivityTaskQueue';
      if (isPoll && machine.notAfter - Date.now() < POLL_MARGIN_MS + SHORTEST_POLL_MS) {
        await this.#outlast(machine, gone.signal);
        return NO_TASK;
      }
      const deadline = Math.min(received + timeout, machine.notAfter - (isPoll ? POLL_MARGIN_MS : 0));
      return await connection.withDeadline(deadline, () =>
        connection.withMetadata(metadata, () =>
          connection.withAbortSignal(gone.signal, () => method(bytes, context)),
        ),
      );
    } finally {
      for (const release of held) release();
    }
  }
}

/** Denied, but by another status: the caller has to enrol, to slow down, or to be quicker. */
class Unauthenticated extends Denied {
  override readonly code = status.UNAUTHENTICATED;
}
class Exhausted extends Denied {
  override readonly code = status.RESOURCE_EXHAUSTED;
}
class TooSlow extends Denied {
  override readonly code = status.DEADLINE_EXCEEDED;
}

const exhausted = (reason: string, message: string): Denied => new Exhausted(`limit-${reason}`, message);

function header(request: Http2ServerRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Temporal chooses its answers by the kind of the client: nothing else of a machine's headers goes on. */
function clientOf(request: Http2ServerRequest): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const name of ['client-name', 'client-version']) {
    const value = header(request, name);
    if (value !== undefined && /^[\w.+-]{1,64}$/.test(value)) metadata[name] = value;
  }
  return metadata;
}
