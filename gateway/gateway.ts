/** The machines' endpoint, put together. */
import type { AddressInfo } from 'node:net';
import { Client, type Connection } from '@temporalio/client';
import type { Logger } from 'pino';
import { IguanaCodec } from '../host/codec/codec.ts';
import { dataConverter } from '../host/codec/data-converter.ts';
import { CodecKeys } from '../host/codec/keys.ts';
import type { GatewayPaths } from '../host/enrolment/paths.ts';
import { MachineAccess } from './access.ts';
import { Authority } from './authority/authority.ts';
import { gatewayKeys } from './authority/keys.ts';
import type { EnrolmentPolicy } from './enrolment/decide.ts';
import { MachineStarts } from './enrolment/starts.ts';
import type { Limits } from './limits.ts';
import { Listener } from './listener.ts';
import { MachinePayloads } from './proxy/payloads.ts';
import { TemporalProxy } from './proxy/proxy.ts';
import { TaskTokens } from './proxy/task-token.ts';
import { isGrpc } from './proxy/wire.ts';
import { GatewayRecord } from './record.ts';
import { machineRoutes } from './routes.ts';
import { MachineSecrets } from './secrets.ts';

/** @see startGateway */
export interface GatewayOptions {
  readonly paths: GatewayPaths;
  /** The state folder. */
  readonly root: string;
  /** Folder of the image store. */
  readonly store: string;
  /** Folder of the secrets. */
  readonly secrets: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Names and addresses by which machines reach it, beside `host`. */
  readonly names: readonly string[];
  readonly policy: EnrolmentPolicy;
  /** How long a machine's certificate is valid. */
  readonly lifetimeMs: number;
  readonly limits: Limits;
  /** To Temporal. Closed by who made it. */
  readonly connection: Connection;
  readonly namespace: string;
  readonly logger: Logger;
}

/** A gateway that listens. */
export interface Gateway {
  readonly port: number;
  readonly authority: Authority;
  readonly record: GatewayRecord;
  close(): Promise<void>;
}

/** Starts the endpoint of one gateway process; any number of them may run on one state folder. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { paths, limits, namespace, connection, policy, lifetimeMs } = options;
  const keys = await gatewayKeys(paths);
  const authority = await Authority.open(keys);
  const record = new GatewayRecord(options.logger);
  const access = new MachineAccess(paths);
  const names = [...new Set([options.host, ...options.names])];
  const listener = await Listener.create({ paths, authority, names, access, limits, record });
  const tokens = new TaskTokens(Buffer.from(keys.taskTokenKey, 'base64'), namespace);
  const payloads = new MachinePayloads(new IguanaCodec(new CodecKeys(options)));
  const proxy = new TemporalProxy({ connection, namespace, tokens, payloads, access, limits, record });
  const enrolment = { paths, authority, policy, namespace, lifetimeMs };
  const client = new Client({ connection, namespace, dataConverter: dataConverter(options) });
  const app = await machineRoutes({
    listener,
    authority,
    enrolment,
    access,
    limits,
    record,
    starts: new MachineStarts(client, paths, options.logger),
    store: options.store,
    secrets: new MachineSecrets(client, options),
  });
  listener.onRequest((peer, request, response) => {
    if (isGrpc(request.headers['content-type'])) void proxy.serve(peer, request, response);
    else app.routing(request as never, response as never);
  });
  const { server } = listener;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    authority,
    record,
    async close() {
      await listener.close();
      await app.close();
      record.close();
    },
  };
}
