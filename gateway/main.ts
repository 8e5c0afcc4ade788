/** The gateway's process: listens on loopback unless told otherwise, stops on SIGTERM. */
import { Client, Connection } from '@temporalio/client';
import { connectionSettings } from '../host/connection.ts';
import { firstBootEndpoint } from './first-boot.ts';

const host = process.env.IGUANA_REPORT_HOST ?? '127.0.0.1';
const port = Number(process.env.IGUANA_REPORT_PORT ?? 0);

const { connectionOptions, namespace } = await connectionSettings();
const connection = Connection.lazy(connectionOptions);
const server = firstBootEndpoint(new Client({ connection, namespace }));
const address = await server.listen({ host, port });
server.log.info({ address }, 'first-boot endpoint listens');
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await server.close();
    await connection.close();
  });
}
