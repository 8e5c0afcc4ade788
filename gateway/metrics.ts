/** `GET /metrics`, for a Prometheus on this host. */
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

const LOOPBACK: readonly (string | undefined)[] = ['127.0.0.1', '::1', '::ffff:127.0.0.1'];

/**
 * Adds the metrics to the first-boot endpoint. That one may be bound to addresses that installed systems reach: metrics
 * name machines, so they are told to this host only.
 */
export function serveMetrics(server: FastifyInstance, registry: Registry): void {
  server.get('/metrics', async (request, reply) => {
    if (!LOOPBACK.includes(request.socket.remoteAddress)) {
      return await reply.code(404).send({ error: 'metrics are told on loopback only' });
    }
    return await reply.type(registry.contentType).send(await registry.metrics());
  });
}
