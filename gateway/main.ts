/** The gateway's process: the endpoints of machines, first-boot reports and, where wanted, firmware; on loopback unless told otherwise. */
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { dataConverter } from '../host/codec/data-converter.ts';
import { connectionSettings } from '../host/connection.ts';
import { gatewayPaths } from '../host/enrolment/paths.ts';
import { statePaths } from '../host/state.ts';
import { bootEndpoint } from './boot/endpoint.ts';
import { BootTargets } from './boot/targets.ts';
import { firstBootEndpoint } from './first-boot.ts';
import { startGateway } from './gateway.ts';
import { serveMetrics } from './metrics.ts';
import { gatewaySettings } from './settings.ts';

const reportHost = process.env.IGUANA_REPORT_HOST ?? '127.0.0.1';
const reportPort = Number(process.env.IGUANA_REPORT_PORT ?? 0);

const logger = pino({ name: 'gateway', level: process.env.IGUANA_LOG ?? 'info', base: { pid: process.pid } });
const paths = statePaths();
const { connectionOptions, namespace } = await connectionSettings();
const connection = Connection.lazy(connectionOptions);
// Machines' workers try again by themselves; the gateway in between must not.
const passing = Connection.lazy({ ...connectionOptions, interceptors: [] });

const { boot, ...settings } = gatewaySettings(process.env);
const gateway = await startGateway({
  ...settings,
  paths: gatewayPaths(paths),
  root: paths.root,
  store: paths.store,
  secrets: paths.secrets,
  connection: passing,
  namespace,
  logger,
});
logger.info({ port: gateway.port, caDigest: gateway.authority.digest }, 'machine endpoint listens');

const client = new Client({ connection, namespace, dataConverter: dataConverter(paths) });
const reports = firstBootEndpoint({ client, folded: gateway.record.folded });
serveMetrics(reports, gateway.record.registry);
const address = await reports.listen({ host: reportHost, port: reportPort });
logger.info({ address }, 'first-boot endpoint listens');

const boots =
  boot &&
  bootEndpoint({
    ...boot,
    targets: new BootTargets(client, gatewayPaths(paths), gateway.record.folded),
    ca: gateway.authority.digest,
    gatewayPort: gateway.port,
    logger,
    folded: gateway.record.folded,
  });
if (boots) logger.info({ address: await boots.listen(boot) }, 'boot endpoint listens');
logger.info('the gateway is ready');

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await Promise.all([reports.close(), gateway.close(), boots?.close()]);
    await Promise.all([connection.close(), passing.close()]);
  });
}
