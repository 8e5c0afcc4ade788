/** Limits, on real sockets: of time for who says nothing or half of something, of calls, of bytes, of connections that arrive. */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { DEFAULT_LIMITS, type Limits } from '../../gateway/limits.ts';
import { apiThrough, codeOf } from './harness/api.ts';
import { Fleet } from './harness/fleet.ts';
import type { EnrolledMachine } from './harness/site.ts';

const MIB = 2 ** 20;
const METHOD = '/temporal.api.workflowservice.v1.WorkflowService/RecordActivityTaskHeartbeat';
const FOREVER = 3_600_000;

let fleet: Fleet;
let gateway: Gateway;
let machine: EnrolledMachine;
let machines = 0;
const open: { destroy(): unknown }[] = [];
beforeAll(async () => {
  fleet = await Fleet.start();
});
afterEach(async () => {
  for (const it of open.splice(0)) it.destroy();
  await fleet.site.stop(gateway);
});
afterAll(() => fleet.stop());

/** A gateway with one limit that is reached soon; all other times are longer than any test. */
async function limited(limits: Partial<Limits>): Promise<void> {
  const never = { handshakeMs: FOREVER, strangerMs: FOREVER, requestMs: FOREVER };
  gateway = await fleet.site.start({ limits: { ...DEFAULT_LIMITS, ...never, ...limits } });
  machine = await fleet.site.machine(gateway, ++machines);
}

const address = () => ({ port: gateway.port, host: '127.0.0.1' });

function kept<T extends { destroy(): unknown; on(event: 'error', listener: () => void): unknown }>(it: T): T {
  it.on('error', () => undefined);
  open.push(it);
  return it;
}

const tls = (shown: { cert?: string; key?: string; ALPNProtocols?: string[] } = {}): TLSSocket =>
  kept(connectTls({ ...address(), ca: gateway.authority.certificate, ...shown }));

const shownBy = ({ certificate: cert, keyPem: key }: EnrolledMachine) => ({ cert, key });

const session = (): ClientHttp2Session =>
  kept(
    connectHttp2(`https://localhost:${gateway.port}`, {
      ca: gateway.authority.certificate,
      ...shownBy(machine),
    }),
  );

/** Announces a gRPC message of so many bytes, and sends one of them. */
function begin(to: ClientHttp2Session, bytes: number): ClientHttp2Stream {
  const stream = to.request({
    ':method': 'POST',
    ':path': METHOD,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const head = Buffer.alloc(6);
  head.writeUInt32BE(bytes, 1);
  stream
    .on('error', () => undefined)
    .resume()
    .write(head);
  return stream;
}

const said = (who: string): string[] => fleet.site.denials(who);

describe('time', () => {
  it('ends for who connects and makes no handshake', async () => {
    await limited({ handshakeMs: 500 });
    const talking = tls(shownBy(machine)).resume();
    await once(talking, 'secureConnect');
    const silent = kept(connectTcp(address())).resume();
    await once(silent, 'close');
    expect(said('none')).toContainEqual(expect.stringMatching(/^connect tls: .*timeout/));
    expect(talking.destroyed).toBe(false);
  });

  it('ends for a stranger who keeps a connection, not for a machine', async () => {
    await limited({ strangerMs: 500 });
    const ours = tls({ ...shownBy(machine), ALPNProtocols: ['h2'] }).resume();
    await once(ours, 'secureConnect');
    const stranger = tls({ ALPNProtocols: ['h2'] }).resume();
    await once(stranger, 'close');
    expect(said('none')).toContain('connect limit-time');
    expect(ours.destroyed).toBe(false);
  });

  it('ends for half a gRPC message', async () => {
    await limited({ requestMs: 500 });
    const [trailers] = (await once(begin(session(), 1_000), 'trailers')) as [Record<string, string>];
    expect(trailers['grpc-status']).toBe('4');
    expect(decodeURIComponent(trailers['grpc-message'] ?? '')).toMatch(/did not come in time/);
    expect(said(machine.id)).toEqual(['RecordActivityTaskHeartbeat limit-time']);
  });

  it.each(['h2', 'http/1.1'])('ends for half a body, by %s', async (protocol) => {
    await limited({ requestMs: 500 });
    if (protocol === 'h2') {
      const headers = { ':method': 'POST', ':path': '/v1/renew', 'content-type': 'application/json' };
      const stream = session().request(headers);
      stream.write('{"csr');
      const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
      expect(answer[':status']).toBe(408);
    } else {
      const socket = tls({ ...shownBy(machine), ALPNProtocols: [protocol] });
      const head =
        'POST /v1/renew HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99';
      socket.resume().write(`${head}\r\n\r\n{"csr`);
      await once(socket, 'close');
    }
    expect(said(machine.id)).toEqual(['/v1/renew limit-time']);
  });

  it('ends for a call, whatever the caller would wait', async () => {
    // The shortest poll that Temporal takes has two seconds.
    await limited({ callMs: 4_000 });
    const patient = await fleet.site.start();
    const ways = [patient, gateway].map((at) => apiThrough(at, machine));
    const over = new AbortController();
    const polls = ways.map((connection) => polled(connection, over.signal));
    expect(await Promise.race(polls.map((poll, n) => poll.then(() => n)))).toBe(1);
    over.abort();
    expect(await polls[0]).toBe('CANCELLED');
    await Promise.all(ways.map((connection) => connection.close()));
    await fleet.site.stop(patient);
  });
});

/** Waits for a task as long as it is let. */
async function polled(connection: Connection, signal: AbortSignal): Promise<string> {
  const taskQueue = { name: `machine/${machine.id}` };
  return await codeOf(
    connection.withAbortSignal(signal, () =>
      connection.withDeadline(Date.now() + FOREVER, () =>
        connection.workflowService.pollActivityTaskQueue({ namespace: 'default', taskQueue }),
      ),
    ),
  );
}

it('calls that are under way are counted, over all connections of a machine', async () => {
  await limited({ machineCalls: 3 });
  // Of one connection, HTTP/2 itself lets no fourth call come.
  const [waiting, asking] = [apiThrough(gateway, machine), apiThrough(gateway, machine)];
  const over = new AbortController();
  const polls = [1, 2, 3].map(() => polled(waiting, over.signal));
  const asked = () => codeOf(asking.workflowService.getSystemInfo({}));
  await expect.poll(asked, { timeout: 30_000 }).toBe('RESOURCE_EXHAUSTED');
  expect(said(machine.id)).toEqual(['GetSystemInfo limit-calls']);
  over.abort();
  await Promise.all(polls);
  await expect.poll(asked, { timeout: 30_000 }).toBe('OK');
  await Promise.all([waiting.close(), asking.close()]);
});

it('bytes of requests are counted before they come, and given back', async () => {
  await limited({ machineBytes: MIB });
  const half = begin(session(), MIB - 1_000);
  const connection = apiThrough(gateway, machine);
  const send = (bytes: number) =>
    codeOf(
      connection.workflowService.recordActivityTaskHeartbeat({
        namespace: 'default',
        taskToken: Buffer.alloc(bytes),
      }),
    );
  await expect.poll(() => send(2_000), { timeout: 30_000 }).toBe('RESOURCE_EXHAUSTED');
  expect(said(machine.id)).toContain('RecordActivityTaskHeartbeat limit-size');
  // There is room for less.
  expect(await send(100)).toBe('PERMISSION_DENIED');
  half.close();
  await expect.poll(() => send(2_000), { timeout: 30_000 }).toBe('PERMISSION_DENIED');
  await connection.close();
});

it('connections that arrive are counted before anything is known of them', async () => {
  await limited({ newConnectionsPerSecond: 5 });
  const sockets: Socket[] = Array.from({ length: 50 }, () => kept(connectTcp(address())));
  await expect.poll(() => said('none')).toContain('connect limit-arrivals');
  const left = () => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded);
  for (const socket of sockets) socket.resume();
  await expect.poll(() => left().length).toBeLessThanOrEqual(25);
  expect(left().length).toBeGreaterThan(0);
});
