/** A connection to Temporal, opened when it is needed and again where the server has moved. */
import type { Client } from '@temporalio/client';
import { CommandError } from './errors.ts';

/** gRPC status codes (grpc.github.io/grpc/core/md_doc_statuscodes.html) that mean: not now. */
const NOT_NOW = new Set([
  4, // DEADLINE_EXCEEDED
  9, // FAILED_PRECONDITION: a query while no worker polls
  14, // UNAVAILABLE
]);

/** The server was there and is no longer; somebody may start it again. */
export class ServerGone extends Error {
  override readonly name = 'ServerGone';
}

/** True where the server or its workers do not answer now, and may later. */
export function isUnreachable(error: unknown): error is Error {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof ServerGone) return true;
    if ('code' in at && typeof at.code === 'number' && NOT_NOW.has(at.code)) return true;
    if (at.message.startsWith('Failed to connect before the deadline')) return true;
  }
  return false;
}

/**
 * Runs a call about one install.
 * @throws CommandError where no install of this machine is known
 */
export async function notFoundAs<T>(machineId: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') {
      throw new CommandError(`no install of machine ${machineId} is known`, {
        remedy: '`iguana status` lists the installs that are; the id is case-sensitive.',
        cause: error,
      });
    }
    throw error;
  }
}

/** Where Temporal is, and how to speak to it. */
export interface Endpoint {
  readonly address: string;
  readonly namespace: string;
  open(): Promise<Client>;
}

/** Keeps one connection for as long as the endpoint stays where it is. */
export class Session {
  readonly #find: () => Promise<Endpoint>;
  #current: { readonly endpoint: Endpoint; readonly client: Client } | undefined;

  /** @param find says where the server is now; may start it */
  constructor(find: () => Promise<Endpoint>) {
    this.#find = find;
  }

  /** The client to use now. */
  readonly client = async (): Promise<Client> => {
    const endpoint = await this.#find();
    if (this.#current?.endpoint.address === endpoint.address) return this.#current.client;
    await this.close();
    const client = await endpoint.open();
    this.#current = { endpoint, client };
    return client;
  };

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.client.connection.close();
  }
}
