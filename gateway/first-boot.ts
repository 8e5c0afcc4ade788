/** `POST /v1/first-boot`: where an installed system says that it has come up. */
import { createHash } from 'node:crypto';
import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import fastify, { type FastifyInstance } from 'fastify';
import {
  type FirstBootReport,
  type InstallStatus,
  installWorkflowId,
  QUERIES,
  UPDATES,
} from '../workflows/api.ts';

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

/**
 * The endpoint. Answers 204 when the report is accepted, also the second time; 401 without a token, 403 with a wrong
 * or used one, 404 where no install waits for the machine, 503 while Temporal is away: the machine tries again.
 */
export function firstBootEndpoint(client: Client): FastifyInstance {
  const server = fastify({
    logger: { level: process.env.IGUANA_LOG ?? 'info' },
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 10_000,
  });
  server.get('/healthz', () => ({ ok: true }));
  server.post<{ Body: FirstBootReport }>(
    '/v1/first-boot',
    { schema: { body: REPORT_SCHEMA } },
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
      const handle = client.workflow.getHandle(installWorkflowId(machineId));
      try {
        await handle.executeUpdate(UPDATES.reportFirstBoot, { args: [args] });
        return await reply.code(204).send();
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError) {
          return reply.code(403).send({ error: error.cause?.message ?? 'the report was refused' });
        }
        if (!(error instanceof WorkflowNotFoundError)) {
          request.log.warn({ err: error }, 'asking Temporal failed');
          return reply.code(503).send({ error: 'Temporal is away; try again' });
        }
      }
      // The install may have ended with this very report, and only the answer was lost.
      const isRepeat = await wasAccepted(client, args.tokenDigest, args.report);
      return isRepeat
        ? reply.code(204).send()
        : reply.code(404).send({ error: `no install of machine ${machineId} waits for a report` });
    },
  );
  return server;
}

async function wasAccepted(client: Client, tokenDigest: string, report: FirstBootReport): Promise<boolean> {
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
