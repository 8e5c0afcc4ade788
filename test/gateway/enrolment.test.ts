/** Enrolling, over HTTPS, with real keys and certificates: who gets one, who waits, who is refused. */
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EnrolmentPolicy } from '../../gateway/enrolment/decide.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { DEFAULT_LIMITS } from '../../gateway/limits.ts';
import type { EnrolAnswer, WaitAnswer } from '../../host/enrolment/api.ts';
import { listMachines, revokeMachine } from '../../host/enrolment/machines.ts';
import { approveKey, listPending, rejectKeys } from '../../host/enrolment/pending.ts';
import { listTokens, revokeToken } from '../../host/enrolment/tokens.ts';
import { signingRequest } from '../../worker/enrolment/signing-request.ts';
import { Https } from './harness/https.ts';
import { GatewaySite, machineIdOf, macOf, newKey } from './harness/site.ts';

let site: GatewaySite;
let gateway: Gateway;
beforeEach(async () => {
  site = new GatewaySite();
  gateway = await site.start();
});
afterEach(() => site.remove());

interface Who {
  readonly n?: number;
  readonly key?: KeyObject;
  readonly token?: string | undefined;
  readonly macs?: readonly string[];
  readonly at?: Gateway;
  readonly from?: string;
}

async function enrol({ n = 1, key = newKey(), token, macs, at = gateway, from }: Who) {
  using https = new Https(at, from === undefined ? {} : { localAddress: from });
  return await https.post<EnrolAnswer & WaitAnswer & { error: string }>('/v1/enrol', {
    csr: signingRequest(key),
    ...(token !== undefined && { token }),
    identity: { uuid: machineIdOf(n).toUpperCase(), macs: macs ?? [macOf(n)] },
  });
}

/** Time passes: the machine was last seen a minute ago. */
async function goQuiet(n = 1): Promise<void> {
  const before = new Date(Date.now() - 60_000);
  const file = join(site.paths.seen, `${machineIdOf(n)}.json`);
  if (existsSync(file)) await utimes(file, before, before);
}

it('gives a machine with a token a certificate for its own key, and tells where its work is', async () => {
  const key = newKey();
  const { status, body } = await enrol({ key, token: await site.token() });
  expect(status).toBe(200);
  const certificate = new X509Certificate(body.certificate);
  expect(certificate.subjectAltName).toBe(`URI:urn:iguana:machine:${machineIdOf(1)}`);
  expect(certificate.checkPrivateKey(key)).toBe(true);
  expect(certificate.verify(new X509Certificate(body.chain).publicKey)).toBe(true);
  expect(Math.abs(Date.parse(body.expiresAt) - Date.now() - 3_600_000)).toBeLessThan(60_000);
  expect(body.temporal).toEqual({ namespace: 'default', taskQueue: `machine/${machineIdOf(1)}` });
});

it('keeps its authority private and over restarts, and no token in the clear', async () => {
  const token = await site.token();
  await enrol({ token });
  expect((await stat(site.paths.keys)).mode & 0o777).toBe(0o600);
  const another = await site.start();
  expect(another.authority.digest).toBe(gateway.authority.digest);
  const files = await readdir(site.paths.root, { recursive: true, withFileTypes: true });
  for (const file of files.filter((it) => it.isFile())) {
    expect(await readFile(join(file.parentPath, file.name), 'utf8')).not.toContain(token);
  }
  expect(JSON.stringify(site.log)).not.toContain(token);
});

it('shows its authority to anybody, to be compared with a digest that is known already', async () => {
  using https = new Https(gateway);
  const { body } = await https.get('/v1/ca');
  const { raw } = new X509Certificate(body);
  expect(`sha256:${createHash('sha256').update(raw).digest('hex')}`).toBe(gateway.authority.digest);
});

describe('a token', () => {
  it('for one machine lets no second one in, also when many ask at once, at two gateways', async () => {
    const token = await site.token();
    const other = await site.start();
    const asked = await Promise.all(
      Array.from({ length: 8 }, (_, n) => enrol({ n: n + 1, token, at: n % 2 ? gateway : other })),
    );
    expect(asked.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403, 403, 403, 403, 403]);
    expect((await listTokens(site.paths))[0]?.usedBy).toHaveLength(1);
  });

  it('for three lets three in', async () => {
    const token = await site.token({ uses: 3 });
    for (const n of [1, 2, 3]) expect((await enrol({ n, token })).status).toBe(200);
    expect((await enrol({ n: 4, token })).status).toBe(403);
  });

  it.each<[string, (token: string) => Promise<unknown>, object]>([
    ['that was revoked', () => revokeToken(site.paths, 'test'), {}],
    ['that has expired', async () => undefined, { lifetimeMs: -1 }],
    ['of another machine', async () => undefined, { machineId: machineIdOf(2) }],
  ])('%s lets nobody in', async (_what, spoil, options) => {
    const token = await site.token(options);
    await spoil(token);
    expect((await enrol({ token })).status).toBe(403);
  });

  it('that nobody made lets nobody in, and none does not either', async () => {
    expect((await enrol({ token: 'x'.repeat(43) })).status).toBe(403);
    expect((await enrol({})).body.error).toMatch(/no token was sent.*iguana\.token=/);
  });
});

describe('a machine that comes back', () => {
  it('with its key gets a new certificate, whatever became of its token', async () => {
    const key = newKey();
    const token = await site.token();
    await enrol({ key, token });
    await revokeToken(site.paths, 'test');
    expect((await enrol({ key, token })).status).toBe(200);
  });

  it('with another key and its own token is let in, once the old key is silent; the old certificate is refused then', async () => {
    const token = await site.token();
    const key = newKey();
    const first = await enrol({ key, token });
    await goQuiet();
    expect((await enrol({ token })).status).toBe(200);
    using https = new Https(gateway, { cert: first.body.certificate, key: pem(key) });
    const { status, body } = await https.post('/v1/renew', { csr: signingRequest(key) });
    expect([status, body.error]).toEqual([401, expect.stringContaining('another key since')]);
  });

  it('is no match for one that is there: a stolen token waits for an operator', async () => {
    const token = await site.token();
    await enrol({ token });
    await utimesNow();
    const thief = await enrol({ token });
    expect([thief.status, thief.body.reason]).toEqual([202, 'in-use']);
  });

  it.each<[string, object, Who, string]>([
    ['with another token', {}, { token: 'another' }, 'other-token'],
    ['with a token that others have too', { uses: 5 }, {}, 'shared-token'],
    ['with other network interfaces', {}, { macs: [macOf(99)] }, 'other-hardware'],
  ])('%s waits', async (_what, options, change, reason) => {
    const token = await site.token(options);
    await enrol({ token });
    await goQuiet();
    const again = change.token ? await site.token({ name: 'another' }) : token;
    const { status, body } = await enrol({ ...change, token: again });
    expect([status, body.reason]).toEqual([202, reason]);
  });

  it('of a batch whose members are trusted is let in', async () => {
    const token = await site.token({ uses: 5, trustsMembers: true });
    await enrol({ token });
    await goQuiet();
    expect((await enrol({ token })).status).toBe(200);
  });
});

describe('an operator', () => {
  it('lets a key in that waits, and no other', async () => {
    await site.stop(gateway);
    gateway = await site.start({ policy: { unknown: 'wait', approval: 'token' } });
    const key = newKey();
    const waiting = await enrol({ key });
    expect([waiting.status, waiting.body.reason, waiting.body.retryAfterSeconds]).toEqual([
      202,
      'no-token',
      15,
    ]);
    const thief = await enrol({});
    expect(await listPending(site.paths)).toHaveLength(2);
    await expect(approveKey(site.paths, { machineId: machineIdOf(1), by: 'ada' })).rejects.toThrow(
      /2 keys wait.*say which/,
    );
    const { keyDigest } = waiting.body;
    await approveKey(site.paths, { machineId: machineIdOf(1), keyDigest, by: 'ada' });
    expect((await enrol({ key })).status).toBe(200);
    expect(thief.status).toBe(202);
    expect((await enrol({})).status).toBe(202);
    expect(await listMachines(site.paths)).toMatchObject([{ approvedBy: 'ada', keyDigest }]);
  });

  it('finds room in the list whatever one address asks for, and can take from it what that has asked', async () => {
    await site.stop(gateway);
    gateway = await site.start({
      policy: { unknown: 'wait', approval: 'always' },
      limits: { ...DEFAULT_LIMITS, strangerRequestsPerSecond: 1_000 },
    });
    const key = newKey();
    const share = Array.from({ length: 50 }, (_, n) => enrol({ n, key }));
    expect((await Promise.all(share)).map(({ status }) => status)).toEqual(Array(50).fill(202));
    const refused = await enrol({ n: 50, key });
    expect([refused.status, refused.body.error]).toEqual([
      503,
      expect.stringMatching(/iguana machine reject/),
    ]);
    // What is in it may ask again, from elsewhere too, and its place remains that of its first address.
    expect((await enrol({ n: 1, key, token: undefined, from: '127.0.0.2' })).status).toBe(202);
    expect((await enrol({ n: 50, key })).status).toBe(503);
    // Others have their own share, and who has a token is no stranger.
    expect((await enrol({ n: 60, key, from: '127.0.0.2' })).status).toBe(202);
    expect((await enrol({ n: 50, key, token: await site.token() })).body.reason).toBe('approval-required');

    await rejectKeys(site.paths, { machineId: machineIdOf(2) });
    expect((await enrol({ n: 70, key })).status).toBe(202);
    expect((await enrol({ n: 2, key })).status).toBe(503);
    await rejectKeys(site.paths, { address: '127.0.0.1' });
    expect((await listPending(site.paths)).map(({ address }) => address)).toEqual(['127.0.0.2']);
    expect((await enrol({ n: 2, key })).status).toBe(202);
  });

  it('can have every new machine wait, also with a valid token', async () => {
    await site.stop(gateway);
    gateway = await site.start({ policy: { unknown: 'refuse', approval: 'always' } });
    expect((await enrol({ token: await site.token() })).body.reason).toBe('approval-required');
  });

  it.each<[string, EnrolmentPolicy['approval'], object]>([
    ['the gateway wants', 'always', {}],
    ['its token wants', 'token', { needsApproval: true }],
  ])('can have a stolen token never be enough: %s every key approved', async (_who, approval, options) => {
    await site.stop(gateway);
    gateway = await site.start({ policy: { unknown: 'refuse', approval } });
    const token = await site.token(options);
    const key = newKey();
    expect((await enrol({ key, token })).body.reason).toBe('approval-required');
    await approveKey(site.paths, { machineId: machineIdOf(1), by: 'ada' });
    expect((await enrol({ key, token })).status).toBe(200);
    // Who has the token, the id and the addresses of a machine that is off: the machine that was started again, or a thief.
    await goQuiet();
    const another = newKey();
    const thief = await enrol({ key: another, token });
    expect([thief.status, thief.body.reason]).toEqual([202, 'approval-required']);
    expect((await enrol({ key, token })).status).toBe(200);
    await approveKey(site.paths, { machineId: machineIdOf(1), by: 'ada' });
    expect((await enrol({ key: another, token })).status).toBe(200);
  });

  it('locks a machine out: within a second for its certificate, and for its key until another is approved', async () => {
    const machine = await site.machine(gateway, 1);
    using https = new Https(gateway, { cert: machine.certificate, key: machine.keyPem });
    const renewal = { csr: signingRequest(machine.key) };
    expect((await https.post('/v1/renew', renewal)).status).toBe(200);
    await revokeMachine(site.paths, machine.id, 'ada');
    await expect
      .poll(async () => (await https.post('/v1/renew', renewal)).status, { timeout: 5_000 })
      .toBe(401);
    expect((await enrol({ key: machine.key })).status).toBe(403);
  });
});

describe('refuses', () => {
  it('a renewal without a certificate, and one by another key', async () => {
    const machine = await site.machine(gateway, 1);
    using stranger = new Https(gateway);
    expect((await stranger.post('/v1/renew', { csr: signingRequest(machine.key) })).status).toBe(401);
    using https = new Https(gateway, { cert: machine.certificate, key: machine.keyPem });
    const { status, body } = await https.post('/v1/renew', { csr: signingRequest(newKey()) });
    expect([status, body.error]).toEqual([400, expect.stringContaining('another key')]);
  });

  it('TLS 1.2, and says so in its record', async () => {
    using https = new Https(gateway, { maxVersion: 'TLSv1.2' });
    await expect(https.get('/healthz')).rejects.toThrow();
    expect(site.denials('none')).toContainEqual(expect.stringMatching(/^connect tls: unsupported_protocol/));
  });

  const whole = () => ({
    csr: signingRequest(newKey()),
    token: 't'.repeat(43),
    identity: { macs: [macOf(1)] },
  });
  it.each<[string, number, () => unknown]>([
    ['a request that is none', 400, () => ({ ...whole(), csr: 'x'.repeat(100) })],
    ['one that another key signed', 400, () => ({ ...whole(), csr: tampered() })],
    ['a machine without an identity', 400, () => ({ ...whole(), identity: { uuid: 'no', macs: [] } })],
    [
      'an identity of fields that nobody knows',
      400,
      () => ({ ...whole(), identity: { macs: [], admin: true } }),
    ],
    [
      'a wrong token, with words of a newer boot image, which are left out',
      403,
      () => ({ ...whole(), mood: 1 }),
    ],
    ['a boot that is none', 400, () => ({ ...whole(), bootId: 'x' })],
    ['refusals that would move a terminal', 400, () => ({ ...whole(), refused: ['\x1b[2J'] })],
    [
      'facts that would move a terminal',
      400,
      () => ({ ...whole(), identity: { macs: [], facts: { a: '\x1b[2J' } } }),
    ],
    ['a thousand addresses', 400, () => ({ ...whole(), identity: { macs: Array(1000).fill(macOf(1)) } })],
    ['a body without end', 413, () => ({ ...whole(), token: 'x'.repeat(100_000) })],
    ['something that is no JSON', 400, () => '{'],
  ])('%s', async (_what, expected, body) => {
    using https = new Https(gateway);
    expect((await https.post('/v1/enrol', body())).status).toBe(expected);
  });
});

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

async function utimesNow(): Promise<void> {
  const { markSeen } = await import('../../host/enrolment/machines.ts');
  await markSeen(site.paths, machineIdOf(1));
}

/** One bit of the signature is another. */
function tampered(): string {
  const lines = signingRequest(newKey()).split('\n');
  const der = Buffer.from(lines.slice(1, -2).join(''), 'base64');
  der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
  return [lines[0], der.toString('base64'), lines.at(-2)].join('\n');
}
