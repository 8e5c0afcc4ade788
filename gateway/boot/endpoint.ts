/**
 * What firmware fetches: iPXE scripts for each machine, and the files of the boot image. Plain HTTP, since firmware and distributions' iPXE
 * know no authority of ours: an endpoint of its own, which serves nothing else. What it gives, anybody can read who reaches it.
 */
import { readFile } from 'node:fs/promises';
import send from '@fastify/send';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { machineIdOf } from '../../host/machine-id.ts';
import type { FoldedLog } from '../folded-log.ts';
import { Rate } from '../limits.ts';
import { NOBODY } from '../record.ts';
import { againScript, askScript, diskScript, installerScript } from './script.ts';
import type { BootSettings } from './settings.ts';
import type { BootTargets } from './targets.ts';

/** All that is served of the folder; firmware believes the type more than the name. */
const FILES: Readonly<Record<string, string>> = {
  vmlinuz: 'application/octet-stream',
  'initrd.img': 'application/octet-stream',
  'iguana.efi': 'application/efi',
  'iguana.iso': 'application/vnd.efi-iso',
};

/** A start asks for two scripts and two files; machines behind a NAT share an address. */
const REQUESTS_PER_SECOND = 200;

/** Who takes nothing for this long has been switched off. */
const SILENCE_MS = 60_000;

interface BootQuery {
  readonly uuid?: string;
  readonly mac?: string;
}

const word = { type: 'string', maxLength: 64 } as const;
const QUERY_SCHEMA = { type: 'object', properties: { uuid: word, mac: word } } as const;

/** A name or an address, as it stands in the header Host: it goes into a script. */
const HOST = /^([\w.-]+|\[[0-9a-f:.]+\])$/i;

/** What the endpoint needs. */
export interface BootOptions extends BootSettings {
  readonly targets: BootTargets;
  /** Digest of the gateway's authority. */
  readonly ca: string;
  readonly gatewayPort: number;
  readonly logger: Logger;
  readonly folded: FoldedLog;
}

/**
 * The endpoint; whoever makes it lets it listen. `GET /boot/ipxe` answers a script that asks again as `?uuid=UUID&mac=MAC`, which answers that
 * machine's; `GET /boot/FILE` one of the four files, also in ranges. 404 for anything else, and for a file that nobody has made.
 */
export function bootEndpoint(options: BootOptions): FastifyInstance {
  const { folder, targets, logger, folded } = options;
  const rate = new Rate(REQUESTS_PER_SECOND);
  const server = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1,
    requestTimeout: 10_000,
    connectionTimeout: SILENCE_MS,
  });
  server.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const code = error.statusCode ?? 500;
    if (code >= 500) {
      const message = 'serving a machine that starts failed';
      folded.say(message, { level: 'error', details: { err: error }, message });
    }
    const said = code >= 500 ? 'the gateway failed; its log says why' : error.message;
    return await reply.code(code).send({ error: said });
  });
  server.addHook('onRequest', async (request, reply) => {
    if (await rate.allows(request.socket.remoteAddress ?? NOBODY)) return;
    await reply.code(429).header('retry-after', 1).send({ error: 'too many requests; try again' });
  });

  server.get<{ Querystring: BootQuery }>(
    '/boot/ipxe',
    { schema: { querystring: QUERY_SCHEMA } },
    async (request, reply) => {
      void reply.header('cache-control', 'no-store');
      const { uuid, mac } = request.query;
      if (uuid === undefined && mac === undefined) return askScript();
      const machineId = machineIdOf(uuid, macsOf(mac));
      if (machineId === undefined)
        return await reply.code(400).send({ error: 'reading uuid and mac: neither is that of a machine' });
      const target = await targets.of(machineId);
      const address = request.socket.remoteAddress;
      // Any name may be asked for: of one address that asks for many, a line.
      folded.say(`${address} ${target}`, {
        level: 'info',
        details: { machineId, target, address },
        message: 'told a machine what to start from',
      });
      if (target === undefined) return againScript(machineId);
      if (target === 'disk') return diskScript(machineId);
      const server = options.server ?? addressOf(request.hostname, options.gatewayPort);
      if (server === undefined)
        return await reply.code(400).send({ error: 'reading the header Host: it is no name and no address' });
      const token = await tokenOf(options);
      return installerScript(machineId, {
        server,
        ca: options.ca,
        commandLine: options.commandLine,
        ...(token !== undefined && { token }),
      });
    },
  );

  server.get<{ Params: { name: string } }>('/boot/:name', async (request, reply) => {
    const { name } = request.params;
    const type = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (type === undefined)
      return reply.code(404).send({ error: `served are ${Object.keys(FILES).join(', ')}` });
    const { statusCode, headers, stream } = await send(request.raw, name, {
      root: folder,
      contentType: false,
      cacheControl: false,
    });
    if (statusCode === 404) {
      const message = 'a machine asks for a file that is not there; `iguana boot build` makes it';
      folded.say(`${message}: ${name}`, { level: 'warn', details: { folder, name }, message });
      return await reply.code(404).send({ error: `there is no ${name} yet` });
    }
    return await reply.code(statusCode).headers(headers).type(type).send(stream);
  });
  return server;
}

/** The gateway, by the name by which the machine has reached this endpoint. */
const addressOf = (host: string, port: number): string | undefined =>
  HOST.test(host) ? `https://${host}:${port}` : undefined;

/** With hyphens or colons; none where it is no MAC address. */
const macsOf = (mac = ''): string[] =>
  /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac) ? [mac.toLowerCase().replaceAll('-', ':')] : [];

/** Read at each start of a machine: a token that has been used up is replaced while all runs. */
async function tokenOf({ tokenFile }: BootOptions): Promise<string | undefined> {
  if (tokenFile === undefined) return undefined;
  const token = (await readFile(tokenFile, 'utf8')).trim();
  if (/^\S+$/.test(token)) return token;
  throw new Error(`reading ${tokenFile}, which IGUANA_BOOT_TOKEN_FILE names: it holds no token`);
}
