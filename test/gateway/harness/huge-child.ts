/** A process that sends a gateway one huge message, as it is and compressed, and prints how each call ended. Its input is a {@link HugeRequest}. */
import { text } from 'node:stream/consumers';
import { apiThrough, codeOf, type GatewayAddress, type MachineCredentials } from './api.ts';

/** What is sent, where to, and as whom. */
interface HugeRequest {
  readonly gateway: GatewayAddress;
  readonly machine: MachineCredentials;
  /** Base64. */
  readonly taskToken: string;
  readonly bytes: number;
}

/** grpc_compression_algorithm of gRPC's core: GZIP. */
const GZIP = 2;

const request = JSON.parse(await text(process.stdin)) as HugeRequest;

async function send(compression: number): Promise<string> {
  const { gateway, machine, taskToken, bytes } = request;
  const connection = apiThrough(gateway, machine, { 'grpc.default_compression_algorithm': compression });
  try {
    return await codeOf(
      connection.workflowService.recordActivityTaskHeartbeat({
        namespace: 'default',
        taskToken: Buffer.from(taskToken, 'base64'),
        // Zeros: compressed, a hundred thousandth of it is on the wire.
        details: { payloads: [{ data: Buffer.alloc(bytes) }] },
      }),
    );
  } finally {
    await connection.close();
  }
}

console.log(JSON.stringify({ plain: await send(0), compressed: await send(GZIP) }));
