/** HTTPS as a machine speaks it: trusts the gateway's authority and nothing else. */
import type { SecureVersion } from 'node:tls';
import { Agent, request } from 'undici';
import type { Gateway } from '../../../gateway/gateway.ts';

/** What a client shows. */
export interface ClientTls {
  readonly cert?: string;
  readonly key?: string;
  readonly maxVersion?: SecureVersion;
  /** Where it comes from; this host is all of 127.0.0.0/8. */
  readonly localAddress?: string;
}

/** A client of one gateway. */
export class Https implements Disposable {
  readonly #base: string;
  readonly #agent: Agent;

  constructor(gateway: Pick<Gateway, 'port' | 'authority'>, { localAddress, ...tls }: ClientTls = {}) {
    this.#base = `https://127.0.0.1:${gateway.port}`;
    this.#agent = new Agent({
      connect: { ca: gateway.authority.certificate, ...tls },
      ...(localAddress !== undefined && { localAddress }),
    });
  }

  async post<T = { error: string }>(path: string, body: unknown): Promise<{ status: number; body: T }> {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    const headers = { 'content-type': 'application/json' };
    const answer = await request(`${this.#base}${path}`, {
      method: 'POST',
      headers,
      body: payload,
      dispatcher: this.#agent,
    });
    return { status: answer.statusCode, body: (await answer.body.json()) as T };
  }

  async get(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }> {
    const answer = await request(`${this.#base}${path}`, { headers, dispatcher: this.#agent });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }

  [Symbol.dispose](): void {
    void this.#agent.destroy();
  }
}
