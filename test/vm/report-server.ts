/** The endpoint that installed systems report their first boot to, as a test sees it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request. */
export interface Report {
  readonly method: string;
  readonly url: string;
  readonly authorization: string;
  readonly body: unknown;
}

/** Listens on loopback; answers 503 for as long as it is unwell, then 204. */
export class ReportServer {
  readonly reports: Report[] = [];
  readonly #server: Server;
  readonly #accepted = Promise.withResolvers<Report>();

  private constructor(unwell: number) {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const { method = '', url = '', headers } = request;
        const report = { method, url, authorization: headers.authorization ?? '', body: JSON.parse(body) };
        this.reports.push(report);
        const isAccepted = this.reports.length > unwell;
        response.writeHead(isAccepted ? 204 : 503).end();
        if (isAccepted) this.#accepted.resolve(report);
      });
    });
  }

  /** @param unwell how many reports are answered with 503 first */
  static async start(unwell: number): Promise<ReportServer> {
    const server = new ReportServer(unwell);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** Its address for a guest of QEMU's user network. */
  get guestUrl(): string {
    return `http://10.0.2.2:${(this.#server.address() as AddressInfo).port}/first-boot?from=test`;
  }

  /** The first report that was answered with success. */
  get accepted(): Promise<Report> {
    return this.#accepted.promise;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
