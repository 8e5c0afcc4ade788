/** What machines ask for over HTTP: the authority, certificates, images. */
import type { Http2ServerRequest } from 'node:http2';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { z } from 'zod';
import type { WaitAnswer, WaitReason } from '../host/enrolment/api.ts';
import type { NoPlace } from '../host/enrolment/pending.ts';
import { ACCESS_MESSAGES, type MachineAccess, type Peer } from './access.ts';
import type { Authority } from './authority/authority.ts';
import { BadRequest, type MachineCertificate } from './authority/machine-certificate.ts';
import { type EnrolmentOptions, enrol, renew } from './enrolment/enrol.ts';
import { enrolSchema, renewSchema } from './enrolment/schema.ts';
import type { MachineStarts } from './enrolment/starts.ts';
import { imageRoutes } from './images.ts';
import { type Limits, Rate } from './limits.ts';
import type { Listener } from './listener.ts';
import { type GatewayRecord, NOBODY } from './record.ts';
import type { MachineSecrets } from './secrets.ts';

const MAX_BODY_BYTES = 64 * 1024;

/** What a waiting machine shows to whoever stands before it. */
const WAIT_MESSAGES: Readonly<Record<WaitReason, string>> = {
  'no-token': 'an operator has to approve this machine, which came without a token',
  'approval-required': 'an operator has to approve this machine',
  'other-token': 'a machine of this id has enrolled with another token; an operator has to approve this one',
  'shared-token':
    'this machine has enrolled before with another key, and its token is not for it alone; an operator has to approve it',
  'other-hardware':
    'a machine of this id has enrolled with other network interfaces; an operator has to approve this one',
  'in-use':
    'another machine of this id is connected; if this one has just been restarted, that passes within half a minute',
  'too-many-keys': 'this machine has enrolled with a hundred keys; an operator has to approve another one',
};

const MAKE_ROOM = 'an operator makes room with `iguana machine approve` or `iguana machine reject`';
const FULL_MESSAGES: Readonly<Record<NoPlace, string>> = {
  'list-full': `too many machines wait for approval; ${MAKE_ROOM}`,
  'share-full': `too many machines without a token wait for approval that come from this address; ${MAKE_ROOM}`,
};

const RETRY_SECONDS = { soon: 5, later: 15 } as const;

/** A request whose body did not come in time. */
class TooSlow extends Error {
  readonly statusCode = 408;

  constructor() {
    super('the request did not come in time');
  }
}

/** What the routes need. */
export interface RouteOptions {
  readonly listener: Listener;
  readonly authority: Authority;
  readonly enrolment: EnrolmentOptions;
  readonly access: MachineAccess;
  readonly limits: Limits;
  readonly record: GatewayRecord;
  readonly starts: MachineStarts;
  /** Folder of the image store. */
  readonly store: string;
  readonly secrets: MachineSecrets;
}

/** The routes; whoever owns the listener hands requests to `app.routing`. */
export async function machineRoutes(options: RouteOptions): Promise<FastifyInstance> {
  const { authority, enrolment, record, listener, store, secrets } = options;
  const strangers = new Rate(options.limits.strangerRequestsPerSecond);
  const machines = new Rate(options.limits.machineCallsPerSecond);
  const app = fastify({
    loggerInstance: record.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
  });
  const peerOf = (request: FastifyRequest): Peer =>
    listener.peer(request.raw as unknown as Http2ServerRequest);

  app.addHook('onRequest', async (request, reply) => {
    const { certificate, address } = peerOf(request);
    const isAllowed = certificate
      ? await machines.allows(certificate.machineId)
      : await strangers.allows(address ?? NOBODY);
    if (isAllowed) return;
    const machine = certificate?.machineId ?? NOBODY;
    record.denied({ machine, method: routeOf(request), reason: 'limit-rate' }, { address });
    await reply.code(429).header('retry-after', 1).send({ error: 'too many requests; try again' });
  });
  app.addHook('preParsing', async (request, reply, body) => {
    // The end of a body that is none is told when its answer has been taken, which may be long.
    if (request.method !== 'POST') return body;
    const { certificate, address } = peerOf(request);
    const timer = setTimeout(() => {
      const machine = certificate?.machineId ?? NOBODY;
      record.denied({ machine, method: routeOf(request), reason: 'limit-time' }, { address });
      body.destroy(new TooSlow());
    }, options.limits.requestMs);
    const stop = () => clearTimeout(timer);
    body.once('end', stop).once('close', stop);
    reply.raw.once('finish', stop);
    return body;
  });
  app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const code = error instanceof BadRequest ? 400 : (error.statusCode ?? 500);
    if (code >= 500) record.logger.error({ err: error }, 'serving a request failed');
    const said = code >= 500 ? 'the gateway failed; its log says why' : error.message;
    return await reply.code(code).send({ error: said });
  });

  app.get('/healthz', () => ({ ok: true }));
  app.get('/v1/ca', async (_request, reply) =>
    reply.type('application/x-pem-file').send(authority.certificate),
  );

  app.post('/v1/enrol', async (request, reply) => {
    const body = parsed(enrolSchema, request.body);
    const { address } = peerOf(request);
    const outcome = await enrol(enrolment, body, address ?? NOBODY);
    // Who asks may say any name: it stands in the details, and is no label.
    const notLetIn = (reason: string, details: object) => {
      record.enrolment(reason);
      record.denied({ machine: NOBODY, method: routeOf(request), reason }, { address, ...details });
    };
    switch (outcome.kind) {
      case 'issued': {
        options.access.forget(outcome.answer.machineId);
        record.enrolment(outcome.because, { machine: outcome.answer.machineId, address });
        // Beside: whatever becomes of it, the machine is let in.
        const { bootId, refused } = body;
        if (bootId)
          void options.starts.tell(outcome.answer.machineId, { bootId, ...(refused && { refused }) });
        return outcome.answer;
      }
      case 'waits': {
        const { machineId, reason, keyDigest } = outcome;
        notLetIn(reason, { machineId, keyDigest });
        const retryAfterSeconds = reason === 'in-use' ? RETRY_SECONDS.soon : RETRY_SECONDS.later;
        const answer: WaitAnswer = {
          machineId,
          reason,
          keyDigest,
          message: WAIT_MESSAGES[reason],
          retryAfterSeconds,
        };
        return await reply.code(202).header('retry-after', retryAfterSeconds).send(answer);
      }
      case 'refused':
        notLetIn('refused', { machineId: outcome.machineId, message: outcome.why });
        return await reply
          .code(403)
          .send({ error: `enrolling machine ${outcome.machineId}: ${outcome.why}` });
      case 'full':
        notLetIn(outcome.why, {});
        return await reply.code(503).header('retry-after', 60).send({ error: FULL_MESSAGES[outcome.why] });
    }
  });

  app.post('/v1/renew', async (request, reply) => {
    const machine = await asMachine(options, peerOf(request), request, reply);
    if (!machine) return reply;
    const answer = await renew(enrolment, machine, parsed(renewSchema, request.body).csr);
    record.enrolment('renewed', { machine: machine.machineId, address: request.ip });
    return answer;
  });

  app.get<{ Params: { name: string } }>('/v1/secrets/:name', async (request, reply) => {
    const peer = peerOf(request);
    const machine = await asMachine(options, peer, request, reply);
    if (!machine) return reply;
    const answer = await secrets.read(machine.machineId, request.params.name);
    void reply.header('cache-control', 'no-store');
    if ('value' in answer) return reply.type('text/plain').send(answer.value);
    if ('missing' in answer) return reply.code(404).send({ error: 'there is no such secret' });
    record.denied(
      { machine: machine.machineId, method: routeOf(request), reason: 'secret' },
      { address: peer.address },
    );
    return reply.code(403).send({ error: 'the install of this machine does not name this secret' });
  });

  imageRoutes(app, {
    folder: store,
    isMachine: async (request, reply) =>
      (await asMachine(options, peerOf(request), request, reply)) !== undefined,
  });
  await app.ready();
  return app;
}

/** The machine that asks; undefined where none may, which has been answered and recorded then. */
async function asMachine(
  { access, record }: RouteOptions,
  peer: Peer,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<MachineCertificate | undefined> {
  const machine = await access.check(peer);
  if (typeof machine !== 'string') return machine;
  const denial = {
    machine: peer.certificate?.machineId ?? NOBODY,
    method: routeOf(request),
    reason: machine,
  };
  record.denied(denial, { address: peer.address });
  await reply.code(401).send({ error: ACCESS_MESSAGES[machine] });
  return undefined;
}

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'other';

/** @throws BadRequest naming every field that is wrong */
function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new BadRequest(`reading the request: ${issues.slice(0, 10).join('; ')}`);
}
