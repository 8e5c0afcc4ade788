/**
 * The codec endpoint: decrypts payloads for those who have the token, in the protocol of Temporal's Web UI and CLI
 * (https://docs.temporal.io/dataconversion#codec-server): `POST /decode` and `POST /encode`, payloads as JSON in and out.
 */
import type { Payload } from '@temporalio/common';
import { JSONToPayload, payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { IguanaCodec } from '../host/codec/codec.ts';
import { CodecKeys, PayloadRefused } from '../host/codec/keys.ts';
import { isCodecToken } from '../host/codec/token.ts';
import type { StatePaths } from '../host/state.ts';

/** A page of events; Temporal takes 4 MiB in one message, and base64 makes a third more of it. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** What the Web UI sends; browsers ask beforehand whether it may. */
const ALLOWED_HEADERS = 'authorization, authorization-extras, content-type, x-namespace';
/** Seconds that a browser remembers the answer. */
const PREFLIGHT_SECONDS = '600';

const PAYLOAD = {
  type: 'object',
  properties: {
    metadata: { type: 'object', additionalProperties: { type: 'string' } },
    data: { type: 'string' },
  },
} as const;
const BODY_SCHEMA = {
  type: 'object',
  required: ['payloads'],
  properties: { payloads: { type: 'array', items: PAYLOAD } },
} as const;

interface Body {
  readonly payloads: Parameters<typeof JSONToPayload>[0][];
}

/** @see codecEndpoint */
export interface CodecEndpointOptions {
  readonly paths: Pick<StatePaths, 'root'>;
  /** Origins of web pages that may ask, e.g. `http://127.0.0.1:8233`. */
  readonly origins: readonly string[];
  readonly logger: Logger;
}

/**
 * The endpoint. Answers 401 without the token, 422 where a payload cannot be decrypted. The token comes as `Authorization: Bearer TOKEN`, or as
 * first part of the path, since a browser's Web UI without a login of its own has no header to send.
 */
export function codecEndpoint({ paths, origins, logger }: CodecEndpointOptions): FastifyInstance {
  const codec = new IguanaCodec(new CodecKeys(paths));
  const server = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // Addresses hold the token.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 30_000,
  });
  server.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    void reply.header('vary', 'Origin').header('cache-control', 'no-store');
    if (origin === undefined || !origins.includes(origin)) return;
    void reply.header('access-control-allow-origin', origin);
    if (request.method !== 'OPTIONS') return;
    await reply
      .header('access-control-allow-methods', 'POST')
      .header('access-control-allow-headers', ALLOWED_HEADERS)
      .header('access-control-max-age', PREFLIGHT_SECONDS)
      .code(204)
      .send();
  });
  server.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof PayloadRefused) return await reply.code(422).send({ error: error.message });
    const code = error.statusCode ?? 500;
    if (code >= 500) logger.error({ err: error }, 'serving payloads failed');
    const said = code >= 500 ? 'the codec endpoint failed; its log says why' : error.message;
    return await reply.code(code).send({ error: said });
  });
  for (const [way, convert] of [
    ['decode', (payloads: Payload[]) => codec.decode(payloads)],
    ['encode', (payloads: Payload[]) => codec.encode(payloads)],
  ] as const) {
    for (const path of [`/${way}`, `/:token/${way}`]) {
      server.post<{ Body: Body; Params: { token?: string } }>(
        path,
        {
          schema: { body: BODY_SCHEMA },
          // Before the body is read: strangers send nothing.
          async onRequest(request, reply) {
            const sent = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
            if (await isCodecToken(paths, request.params.token ?? sent ?? '')) return;
            await reply.code(401).header('www-authenticate', 'Bearer').send({
              error: 'this needs the token of the codec endpoint: `iguana server codec` shows it',
            });
          },
        },
        async ({ body }) => ({
          payloads: (await convert(body.payloads.map(JSONToPayload))).map(payloadToJSON),
        }),
      );
    }
  }
  return server;
}

/**
 * Serves it where `IGUANA_CODEC_PORT` says so: on `IGUANA_CODEC_HOST`, default loopback, for the web pages that `IGUANA_CODEC_ORIGINS` lists,
 * separated by commas.
 * @returns undefined where no port is named, or it cannot listen, which the log tells: installs go on without it
 */
export async function serveCodec(
  paths: Pick<StatePaths, 'root'>,
  env: NodeJS.ProcessEnv,
  logger: Logger,
): Promise<FastifyInstance | undefined> {
  if (!env.IGUANA_CODEC_PORT) return undefined;
  const origins = (env.IGUANA_CODEC_ORIGINS ?? '').split(',').map((origin) => origin.trim());
  const server = codecEndpoint({ paths, origins: origins.filter(Boolean), logger });
  const host = env.IGUANA_CODEC_HOST ?? '127.0.0.1';
  try {
    const address = await server.listen({ host, port: Number(env.IGUANA_CODEC_PORT) });
    logger.info({ address, origins }, 'codec endpoint listens');
    return server;
  } catch (error) {
    logger.error({ err: error, host, port: env.IGUANA_CODEC_PORT }, 'the codec endpoint cannot listen');
    return undefined;
  }
}
