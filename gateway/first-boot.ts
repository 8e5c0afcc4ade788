/** `POST /v1/first-boot`: where an installed system says that it has come up. */
import { createHash } from 'node:crypto';
import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import {
  type FirstBootReport,
  type InstallStatus,
  installWorkflowId,
  QUERIES,
  type ReportFirstBootArgs,
  UPDATES,
} from '../workflows/api.ts';
import type { FoldedLog } from './folded-log.ts';
import { Rate } from './limits.ts';
import { NOBODY } from './record.ts';

/** Hashes and limits keep what a stranger can send small. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_TEXT = 256;
/** Of the scripts that failed, this many are kept. */
const MAX_SCRIPTS = 40;

const text = { type: 'string', minLength: 1, maxLength: MAX_TEXT } as const;
const REPORT_SCHEMA = {
  type: 'object',
  required: ['machineId', 'hostname', 'kernel', 'bootId'],
  properties: {
    machineId: text,
    hostname: text,
    kernel: text,
    bootId: text,
    failedScripts: { type: 'array', items: { type: 'string' } },
  },
  // What is not named here goes no further.
  additionalProperties: false,
} as const;

/** The token is hashed at the door: nothing behind it, and no history, ever sees it. */
const digestOf = (token: string) => `sha256:${createHash('sha256').update(token).digest('hex')}` as const;

/** What the endpoint needs. */
export interface FirstBootOptions {
  readonly client: Client;
  readonly folded: FoldedLog;
  /** How long Temporal is waited for: where the control worker is down, nobody answers. A machine waits longer, and tries again. Default 10 s. */
  readonly patienceMs?: number;
  /** Reports from one address in a second; machines behind a NAT share one, and try again. Default 20. */
  readonly reportsPerSecond?: number;
}

/**
 * The endpoint. Answers 204 when the report is accepted, also the second time; 401 without a token, 403 with a wrong
 * or used one, 404 where no install waits for the machine, 429 where too many come from one address, 503 while Temporal is away: the machine
 * tries again. Requests are not logged: anybody who reaches it can send any number.
 */
export function firstBootEndpoint(options: FirstBootOptions): FastifyInstance {
  const { client, folded, patienceMs = 10_000, reportsPerSecond = 20 } = options;
  const rate = new Rate(reportsPerSecond);
  const server = fastify({ bodyLimit: MAX_BODY_BYTES, requestTimeout: 10_000 });
  const failed = (message: string, error: unknown) =>
    folded.say(message, { level: 'warn', details: { err: error }, message });
  server.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const code = error.statusCode ?? 500;
    if (code >= 500) failed('serving a first-boot report failed', error);
    const said = code >= 500 ? 'the gateway failed; its log says why' : error.message;
    return await reply.code(code).send({ error: said });
  });
  server.get('/healthz', () => ({ ok: true }));
  server.post<{ Body: FirstBootReport }>(
    '/v1/first-boot',
    {
      schema: { body: REPORT_SCHEMA },
      onRequest: async (request: FastifyRequest, reply) => {
        if (await rate.allows(request.socket.remoteAddress ?? NOBODY)) return;
        await reply.code(429).header('retry-after', 1).send({ error: 'too many reports; try again' });
      },
    },
    async (request, reply) => {
      const token = /^Bearer (\S{16,256})$/.exec(request.headers.authorization ?? '')?.[1];
      if (!token)
        return reply.code(401).send({ error: 'a report carries its token as `Authorization: Bearer TOKEN`' });
      const { machineId } = request.body;
      const failedScripts = request.body.failedScripts
        ?.slice(0, MAX_SCRIPTS)
        .map((it) => it.slice(0, MAX_TEXT));
      const report = { ...request.body, ...(failedScripts && { failedScripts }) };
      const args = { tokenDigest: digestOf(token), report };
      try {
        const outcome = await client.withDeadline(Date.now() + patienceMs, () => tell(client, args));
        switch (outcome) {
          case 'accepted':
            return await reply.code(204).send();
          case 'nobody-waits':
            return await reply
              .code(404)
              .send({ error: `no install of machine ${machineId} waits for a report` });
          default:
            return await reply.code(403).send({ error: outcome.refused });
        }
      } catch (error) {
        failed('telling an install of its first boot failed', error);
        return reply.code(503).send({ error: 'Temporal is away; try again' });
      }
    },
  );
  return server;
}

type Outcome = 'accepted' | 'nobody-waits' | { readonly refused: string };

async function tell(client: Client, args: ReportFirstBootArgs): Promise<Outcome> {
  const handle = client.workflow.getHandle(installWorkflowId(args.report.machineId));
  // A machine that asks again waits for the same update: those that nobody takes do not pile up.
  const updateId = createHash('sha256').update(JSON.stringify(args)).digest('hex');
  try {
    await handle.executeUpdate(UPDATES.reportFirstBoot, { args: [args], updateId });
    return 'accepted';
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError)
      return { refused: error.cause?.message ?? 'the report was refused' };
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  // The install may have ended with this very report, and only the answer was lost.
  return (await wasAccepted(client, args)) ? 'accepted' : 'nobody-waits';
}

async function wasAccepted(client: Client, { tokenDigest, report }: ReportFirstBootArgs): Promise<boolean> {
  try {
    const status = await client.workflow
      .getHandle(installWorkflowId(report.machineId))
      .query<InstallStatus>(QUERIES.status);
    return status.tokenDigest === tokenDigest && status.firstBoot?.bootId === report.bootId;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
