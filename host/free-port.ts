/** Free ports on loopback. */
import { createServer } from 'node:net';

/**
 * The first of the wanted ports that nobody listens on, else any free one.
 * @param wanted in order of preference
 */
export async function freePort(...wanted: readonly number[]): Promise<number> {
  for (const port of wanted) {
    if (await canListen(port)) return port;
  }
  return (await canListen(0)) ?? Promise.reject(new Error('finding a free port on 127.0.0.1: there is none'));
}

/**
 * Whether a port of 127.0.0.1 can be listened on.
 * @param port 0 for any
 * @returns the port, undefined where it cannot
 */
export function canListen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined));
    });
  });
}
