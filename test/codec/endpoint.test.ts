/** The codec endpoint: who gets payloads decrypted, and the official CLI as one who does. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import { execa } from 'execa';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataConverter } from '../../host/codec/data-converter.ts';
import { codecToken, replaceCodecToken } from '../../host/codec/token.ts';
import { statePaths } from '../../host/state.ts';
import { supplyTemporal } from '../../host/temporal/supply.ts';
import { codecEndpoint } from '../../worker/codec-endpoint.ts';
import { KeysFolder, payloadOf } from '../support/keys-folder.ts';
import { startTemporal } from '../support/temporal.ts';

const UI = 'http://127.0.0.1:8233';

const folder = new KeysFolder();
const log: string[] = [];
let endpoint: FastifyInstance;
let address: string;
let body: { payloads: unknown[] };
beforeAll(async () => {
  const logger = pino({ level: 'trace' }, { write: (line: string) => void log.push(line) });
  endpoint = codecEndpoint({ paths: folder, origins: [UI], logger });
  address = await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const sealed = await folder.codec.encode([payloadOf('clear')]);
  body = { payloads: [...sealed, payloadOf('old')].map(payloadToJSON) };
});
afterAll(async () => {
  await endpoint.close();
  folder[Symbol.dispose]();
});

const post = (path: string, headers: Record<string, string> = {}, sent: unknown = body) =>
  fetch(`${address}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(sent),
  });
const bearer = async () => ({ authorization: `Bearer ${await codecToken(folder)}` });

it('decrypts for who has the token, in a header or in the path, and encrypts', async () => {
  const clear = [payloadToJSON(payloadOf('clear')), payloadToJSON(payloadOf('old'))];
  const byHeader = await post('/decode', await bearer());
  expect([byHeader.status, await byHeader.json()]).toEqual([200, { payloads: clear }]);
  const byPath = await post(`/${await codecToken(folder)}/decode`);
  expect([byPath.status, await byPath.json()]).toEqual([200, { payloads: clear }]);
  const encoded = await post('/encode', await bearer(), { payloads: clear });
  const sealed = (await encoded.json()) as typeof body;
  expect(JSON.stringify(sealed)).not.toContain(clear[0]?.data);
  expect(await (await post('/decode', await bearer(), sealed)).json()).toEqual({ payloads: clear });
});

it('answers nobody else, says where the token is, and writes it nowhere', async () => {
  const token = await codecToken(folder);
  expect(statSync(join(folder.root, 'codec/token.json')).mode & 0o777).toBe(0o600);
  const strangers: [string, Record<string, string>][] = [
    ['/decode', {}],
    ['/encode', { authorization: `Basic ${token}` }],
    ['/decode', { authorization: `Bearer ${token.slice(1)}` }],
    [`/${token.slice(1)}/decode`, {}],
    // A wrong one in the path is not mended by a right one beside it.
    ['/wrong/decode', await bearer()],
  ];
  for (const [path, headers] of strangers) {
    const answer = await post(path, headers);
    expect([answer.status, await answer.text()]).toEqual([
      401,
      expect.stringContaining('iguana server codec'),
    ]);
  }
  expect(log.join('')).not.toContain(token.slice(1));
});

it('opens to another token as soon as there is one, and no longer to the one before', async () => {
  const before = await bearer();
  await replaceCodecToken(folder);
  expect((await post('/decode', before)).status).toBe(401);
  expect((await post('/decode', await bearer())).status).toBe(200);
});

describe('web pages', () => {
  const ask = (origin: string) =>
    fetch(`${address}/decode`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-namespace',
      },
    });

  it("of Temporal's Web UI may ask, and read what is answered", async () => {
    const may = await ask(UI);
    expect(may.status).toBe(204);
    expect(may.headers.get('access-control-allow-origin')).toBe(UI);
    expect(may.headers.get('access-control-allow-headers')).toMatch(/content-type.*x-namespace/);
    expect((await post('/decode', { origin: UI })).headers.get('access-control-allow-origin')).toBe(UI);
  });

  it('of others may not', async () => {
    for (const origin of ['http://127.0.0.1:8234', 'https://127.0.0.1:8233', 'null'])
      expect((await ask(origin)).headers.get('access-control-allow-origin')).toBeNull();
  });
});

it('says which payload cannot be decrypted, and what is no payload', async () => {
  using other = new KeysFolder();
  const foreign = (await other.codec.encode([payloadOf(1)])).map(payloadToJSON);
  const unknown = await post('/decode', await bearer(), { payloads: foreign });
  expect([unknown.status, await unknown.text()]).toEqual([
    422,
    expect.stringMatching(/its key .* is not in/),
  ]);
  for (const wrong of [{}, { payloads: [1] }, { payloads: [{ data: 5, metadata: [] }] }])
    expect((await post('/decode', await bearer(), wrong)).status).toBe(400);
});

it("lets Temporal's own CLI show a history, which shows nothing without it", async () => {
  const environment = await startTemporal();
  try {
    const mark = `mark-${randomUUID()}`;
    const { connection } = environment;
    const client = new Client({ connection, dataConverter: dataConverter(folder) });
    await client.workflow.start('none', { taskQueue: 'none', workflowId: 'shown', args: [mark] });
    const { path: cli } = await supplyTemporal(statePaths(), () => undefined);
    const show = async (env: Record<string, string>): Promise<string> => {
      const args = ['workflow', 'show', '--address', environment.address, '--workflow-id', 'shown'];
      return (await execa(cli, [...args, '--output', 'json'], { env })).stdout;
    };
    // The CLI shows payloads in base64.
    const clear = Buffer.from(JSON.stringify(mark)).toString('base64');
    expect(await show({})).not.toContain(clear);
    const { authorization } = await bearer();
    const shown = await show({ TEMPORAL_CODEC_ENDPOINT: address, TEMPORAL_CODEC_AUTH: authorization });
    expect(shown).toContain(clear);
  } finally {
    await environment.teardown();
  }
});
