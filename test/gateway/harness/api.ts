/** Temporal's API as a machine may try to use it: all of it, by hand. */
import { status } from '@grpc/grpc-js';
import { Connection } from '@temporalio/client';
import type { Gateway } from '../../../gateway/gateway.ts';
import type { EnrolledMachine } from './site.ts';

/** Where a gateway is, and who signed for it. */
export type GatewayAddress = Pick<Gateway, 'port'> & { authority: Pick<Gateway['authority'], 'certificate'> };
/** What a machine shows. */
export type MachineCredentials = Pick<EnrolledMachine, 'certificate' | 'keyPem'>;

/** All of Temporal's API, through a gateway, with a machine's certificate. Nothing is tried again. */
export function apiThrough(
  gateway: GatewayAddress,
  machine?: MachineCredentials,
  channelArgs: Record<string, number> = {},
): Connection {
  return Connection.lazy({
    // grpc-js asks for the server's name by SNI, which knows no addresses.
    address: `localhost:${gateway.port}`,
    interceptors: [],
    // Each its own connection, not the one of an earlier test.
    channelArgs: { 'grpc.use_local_subchannel_pool': 1, ...channelArgs },
    tls: {
      serverRootCACertificate: Buffer.from(gateway.authority.certificate),
      ...(machine && {
        clientCertPair: { crt: Buffer.from(machine.certificate), key: Buffer.from(machine.keyPem) },
      }),
    },
  });
}

/** The name of the code with which a call ends. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  const code = await call.then(
    () => status.OK,
    (error: { code?: number }) => error.code ?? status.UNKNOWN,
  );
  return status[code] ?? String(code);
}
