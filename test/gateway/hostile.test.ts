/**
 * A machine that is not what it should be: it has A's certificate and knows all of Temporal's API. Meanwhile B, a real worker,
 * goes on working; everything that was refused is in the record.
 */
import { X509Certificate } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Connection, WorkflowHandle, WorkflowService } from '@temporalio/client';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { DEFAULT_LIMITS } from '../../gateway/limits.ts';
import { apiThrough, codeOf } from './harness/api.ts';
import { Fleet } from './harness/fleet.ts';
import { withMachine } from './harness/machine-work.ts';
import { selfMade } from './harness/self-made.ts';
import { type EnrolledMachine, GatewaySite, machineIdOf } from './harness/site.ts';
import type { count } from './harness/workflows.ts';

const NAMESPACE = { namespace: 'default' };
const HUGE = 100 * 2 ** 20;

let fleet: Fleet;
let gateway: Gateway;
let a: EnrolledMachine;
let b: EnrolledMachine;
let connection: Connection;
let api: WorkflowService;
/** A task that B was given, with the token as B got it. */
let tokenOfB: Uint8Array;
let handleOfB: WorkflowHandle<typeof count>;

/** Ends B's own work, which has gone on beside all of these tests. */
const stopB = Promise.withResolvers<void>();
let workOfB: Promise<number>;

beforeAll(async () => {
  fleet = await Fleet.start();
  gateway = await fleet.site.start();
  a = await fleet.site.machine(gateway, 1);
  b = await fleet.site.machine(gateway, 2);
  connection = apiThrough(gateway, a);
  api = connection.workflowService;
  // One task of B's is held by hand, so that there is a token to steal; the rest is for its worker.
  handleOfB = await fleet.count(b, 1);
  const byB = apiThrough(gateway, b);
  const task = await byB.workflowService.pollActivityTaskQueue({
    ...NAMESPACE,
    taskQueue: { name: `machine/${b.id}` },
  });
  tokenOfB = task.taskToken;
  await byB.close();
  workOfB = withMachine(gateway, b, async () => {
    let done = 0;
    for (let isStopped = false; !isStopped; done++) {
      const handle = await fleet.count(b, 20);
      isStopped = await Promise.race([stopB.promise.then(() => true), handle.result().then(() => false)]);
      // Also the last one: it has heartbeats for four seconds, and fails where one is late by six.
      expect(await handle.result()).toBe(20);
    }
    return done;
  });
});
afterAll(async () => {
  await connection.close();
  await fleet.stop();
});

describe('with a valid certificate', () => {
  it("polls another machine's queue, a shared one, and workflow tasks: denied", async () => {
    for (const name of [`machine/${b.id}`, 'control', 'builder', `machine/${a.id} `, '']) {
      expect(await codeOf(api.pollActivityTaskQueue({ ...NAMESPACE, taskQueue: { name } }))).toBe(
        'PERMISSION_DENIED',
      );
    }
    const sticky = { name: `machine/${a.id}`, normalName: `machine/${b.id}`, kind: 2 };
    expect(await codeOf(api.pollActivityTaskQueue({ ...NAMESPACE, taskQueue: sticky }))).toBe(
      'PERMISSION_DENIED',
    );
    expect(await codeOf(api.pollActivityTaskQueue({ ...NAMESPACE }))).toBe('PERMISSION_DENIED');
    const own = { name: `machine/${a.id}` };
    expect(await codeOf(api.pollActivityTaskQueue({ namespace: 'temporal-system', taskQueue: own }))).toBe(
      'PERMISSION_DENIED',
    );
    for (const poll of [
      api.pollWorkflowTaskQueue({ ...NAMESPACE, taskQueue: { name: 'control' } }),
      api.pollNexusTaskQueue({ ...NAMESPACE, taskQueue: own }),
    ]) {
      expect(await codeOf(poll)).toBe('PERMISSION_DENIED');
    }
    expect(fleet.site.denials(a.id)).toEqual([
      'PollActivityTaskQueue task-queue',
      'PollActivityTaskQueue namespace',
      expect.stringMatching(/^Poll(Workflow|Nexus)TaskQueue method$/),
      expect.stringMatching(/^Poll(Workflow|Nexus)TaskQueue method$/),
    ]);
  });

  it("answers and heartbeats another machine's task: denied, and the task stands", async () => {
    const forged = Buffer.from(tokenOfB);
    forged.writeUInt8(forged.readUInt8(5) ^ 1, 5);
    // The server's own token, without what binds it to B.
    const naked = tokenOfB.subarray(33);
    for (const taskToken of [tokenOfB, forged, naked, Buffer.alloc(0), Buffer.alloc(200, 1)]) {
      const request = { ...NAMESPACE, taskToken };
      for (const call of [
        api.recordActivityTaskHeartbeat(request),
        api.respondActivityTaskCompleted(request),
        api.respondActivityTaskFailed(request),
        api.respondActivityTaskCanceled(request),
      ]) {
        expect(await codeOf(call)).toBe('PERMISSION_DENIED');
      }
    }
    const { workflowId } = handleOfB;
    for (const call of [
      api.recordActivityTaskHeartbeatById({ ...NAMESPACE, workflowId, activityId: '1' }),
      api.respondActivityTaskCompletedById({ ...NAMESPACE, workflowId, activityId: '1' }),
      api.respondActivityTaskFailedById({ ...NAMESPACE, workflowId, activityId: '1' }),
      api.respondActivityTaskCanceledById({ ...NAMESPACE, workflowId, activityId: '1' }),
    ]) {
      expect(await codeOf(call)).toBe('PERMISSION_DENIED');
    }
    expect(fleet.site.denials(a.id)).toContain('RespondActivityTaskCompleted task-token');
    expect(fleet.site.denials(a.id)).toContain('RespondActivityTaskCompletedById method');
  });

  it('replays its own answer: Temporal knows the task no longer', async () => {
    const handle = await fleet.count(a, 1);
    const { taskToken } = await api.pollActivityTaskQueue({
      ...NAMESPACE,
      taskQueue: { name: `machine/${a.id}` },
    });
    const data = Buffer.from('1');
    const result = { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data }] };
    const answer = { ...NAMESPACE, taskToken, result };
    expect(await codeOf(api.respondActivityTaskCompleted(answer))).toBe('OK');
    expect(await handle.result()).toBe(1);
    expect(await codeOf(api.respondActivityTaskCompleted(answer))).toBe('NOT_FOUND');
  });

  it('starts, signals, terminates, queries and lists workflows, reads histories, and more: denied', async () => {
    const workflowExecution = { workflowId: handleOfB.workflowId };
    const execution = workflowExecution;
    const calls: Record<string, Promise<unknown>> = {
      start: api.startWorkflowExecution({
        ...NAMESPACE,
        workflowId: 'evil',
        workflowType: { name: 'count' },
      }),
      signalWithStart: api.signalWithStartWorkflowExecution({ ...NAMESPACE, workflowId: 'evil' }),
      signal: api.signalWorkflowExecution({ ...NAMESPACE, workflowExecution, signalName: 'x' }),
      terminate: api.terminateWorkflowExecution({ ...NAMESPACE, workflowExecution }),
      cancel: api.requestCancelWorkflowExecution({ ...NAMESPACE, workflowExecution }),
      reset: api.resetWorkflowExecution({ ...NAMESPACE, workflowExecution }),
      update: api.updateWorkflowExecution({ ...NAMESPACE, workflowExecution }),
      query: api.queryWorkflow({ ...NAMESPACE, execution }),
      list: api.listWorkflowExecutions({ ...NAMESPACE }),
      count: api.countWorkflowExecutions({ ...NAMESPACE }),
      describe: api.describeWorkflowExecution({ ...NAMESPACE, execution }),
      history: api.getWorkflowExecutionHistory({ ...NAMESPACE, execution }),
      queue: api.describeTaskQueue({ ...NAMESPACE, taskQueue: { name: 'control' } }),
      namespaces: api.listNamespaces({}),
      otherNamespace: api.describeNamespace({ namespace: 'temporal-system' }),
      namespaceById: api.describeNamespace({ ...NAMESPACE, id: 'x' }),
      updateNamespace: api.updateNamespace({ ...NAMESPACE }),
      batch: api.startBatchOperation({ ...NAMESPACE, jobId: 'x' }),
      operator: connection.operatorService.listSearchAttributes({ ...NAMESPACE }),
      health: connection.healthService.check({}),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect([name, await codeOf(call)]).toEqual([name, 'PERMISSION_DENIED']);
    }
    const denials = fleet.site.denials(a.id);
    for (const method of [
      'StartWorkflowExecution',
      'GetWorkflowExecutionHistory',
      'ListWorkflowExecutions',
      'other',
    ]) {
      expect(denials).toContain(`${method} method`);
    }
    expect((await handleOfB.describe()).status.name).toBe('RUNNING');
  });

  it('learns of its namespace the name, and nothing else', async () => {
    const { namespaceInfo, config } = await api.describeNamespace({ ...NAMESPACE });
    expect([namespaceInfo?.name, namespaceInfo?.id, config ?? null]).toEqual(['default', '', null]);
  });

  it('sends 100 MB, plain and compressed: refused without being read', async () => {
    const before = process.memoryUsage().rss;
    // A process of its own: making such messages takes seconds in which nobody else in the process gets on.
    const { stdout } = await execa(process.execPath, [join(import.meta.dirname, 'harness/huge-child.ts')], {
      input: JSON.stringify({
        gateway: { port: gateway.port, authority: { certificate: gateway.authority.certificate } },
        machine: { certificate: a.certificate, keyPem: a.keyPem },
        taskToken: Buffer.from(tokenOfB).toString('base64'),
        bytes: HUGE,
      }),
    });
    expect(JSON.parse(stdout)).toEqual({ plain: 'RESOURCE_EXHAUSTED', compressed: 'RESOURCE_EXHAUSTED' });
    expect(fleet.site.denials(a.id)).toContain('RecordActivityTaskHeartbeat limit-size');
    expect(process.memoryUsage().rss - before).toBeLessThan(HUGE);
  });

  it('sends a few bytes that become many: counted as what they become', async () => {
    const megabytes = (count: number) => count * 2 ** 20;
    const narrow = await fleet.site.start({ limits: { ...DEFAULT_LIMITS, machineBytes: megabytes(1) } });
    const compressing = apiThrough(narrow, a, { 'grpc.default_compression_algorithm': 2 });
    const heartbeat = (bytes: number) =>
      codeOf(
        compressing.workflowService.recordActivityTaskHeartbeat({
          ...NAMESPACE,
          taskToken: tokenOfB,
          details: { payloads: [{ data: Buffer.alloc(bytes) }] },
        }),
      );
    // Read, and then refused for its token.
    expect(await heartbeat(megabytes(1) / 2)).toBe('PERMISSION_DENIED');
    expect(await heartbeat(megabytes(2))).toBe('RESOURCE_EXHAUSTED');
    // What was held has been given back.
    expect(await heartbeat(megabytes(1) / 2)).toBe('PERMISSION_DENIED');
    await compressing.close();
    await fleet.site.stop(narrow);
  });

  it('calls a thousand times a second: slowed down', async () => {
    const codes = await Promise.all(Array.from({ length: 1_000 }, () => codeOf(api.getSystemInfo({}))));
    const refused = codes.filter((code) => code === 'RESOURCE_EXHAUSTED').length;
    expect(refused).toBeGreaterThan(500);
    expect(codes).toContain('OK');
    expect(fleet.site.denials(a.id)).toContain('GetSystemInfo limit-rate');
  });

  it('opens a thousand connections: a few are its share', async () => {
    const options = { port: gateway.port, host: '127.0.0.1', ca: gateway.authority.certificate };
    const sockets: TLSSocket[] = [];
    for (let n = 0; n < 1_000; n++) {
      const socket = connectTls({ ...options, cert: a.certificate, key: a.keyPem, ALPNProtocols: ['h2'] });
      socket.on('error', () => undefined);
      sockets.push(socket);
      // In waves: this process has to make all the handshakes of both sides.
      if (n % 50 === 49) await sleep(100);
    }
    const open = () => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length;
    await expect.poll(open, { timeout: 60_000 }).toBeLessThanOrEqual(8);
    for (const socket of sockets) socket.destroy();
    expect(fleet.site.denials(a.id)).toContain('connect limit-connections');
    // Whoever comes next from this address has a share of arrivals again.
    await sleep(3_000);
  });
});

describe('without a certificate that is one', () => {
  it('is refused everything: none, one of itself, an expired one, also on a connection that was open before', async () => {
    const nobody = apiThrough(gateway);
    expect(await codeOf(nobody.workflowService.getSystemInfo({}))).toBe('UNAUTHENTICATED');
    await nobody.close();
    expect(fleet.site.denials('none')).toContain('GetSystemInfo no-certificate');

    const elsewhere = new GatewaySite();
    const foreign = apiThrough(gateway, await elsewhere.machine(await elsewhere.start(), 1));
    expect(await codeOf(foreign.workflowService.getSystemInfo({}))).toBe('UNAUTHENTICATED');
    await foreign.close();
    await elsewhere.remove();
    expect(fleet.site.denials('none')).toContain('GetSystemInfo wrong-certificate');

    const brief = await fleet.site.start({ lifetimeMs: 4_000 });
    const machine = await fleet.site.machine(brief, 3);
    const open = apiThrough(gateway, machine);
    expect(await codeOf(open.workflowService.getSystemInfo({}))).toBe('OK');
    await sleep(4_500);
    expect(await codeOf(open.workflowService.getSystemInfo({}))).toBe('UNAUTHENTICATED');
    const anew = apiThrough(gateway, machine);
    expect(await codeOf(anew.workflowService.getSystemInfo({}))).toBe('UNAUTHENTICATED');
    await Promise.all([open.close(), anew.close()]);
    expect(fleet.site.denials(machine.id)).toEqual(['GetSystemInfo expired-certificate']);
  });

  it('makes a certificate of the past in the name of a machine: a stranger, who is counted as one', async () => {
    const { issuer } = new X509Certificate(b.certificate);
    for (const [n, name] of ['CN=Somebody', issuer].entries()) {
      const id = machineIdOf(100 + n);
      const forged = apiThrough(gateway, await selfMade(id, name));
      expect(await codeOf(forged.workflowService.getSystemInfo({}))).toBe('UNAUTHENTICATED');
      await forged.close();
      expect(await gateway.record.registry.metrics()).not.toContain(id);
      expect(fleet.site.denials(id)).toEqual([]);
    }
    expect(fleet.site.denials('none')).toContain('GetSystemInfo wrong-certificate');
  });

  it('opens connections and says nothing: cut off after its share', async () => {
    const sockets = Array.from({ length: 150 }, () =>
      connectTls({ port: gateway.port, host: '127.0.0.1', ca: gateway.authority.certificate }).on(
        'error',
        () => undefined,
      ),
    );
    await sleep(3_000);
    expect(sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length).toBeLessThanOrEqual(
      64,
    );
    for (const socket of sockets) socket.destroy();
    expect(fleet.site.denials('none')).toContain('connect limit-connections');
  });

  it('speaks something else than TLS: recorded', async () => {
    const socket = connectTcp(gateway.port, '127.0.0.1').on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await expect.poll(() => fleet.site.denials('none').join()).toMatch(/connect tls: http_request/);
    socket.destroy();
  });
});

it('has not disturbed the other machine, and has been counted', async () => {
  stopB.resolve();
  expect(await workOfB).toBeGreaterThan(3);
  expect(fleet.site.denials(b.id)).toEqual([]);
  const metrics = await gateway.record.registry.metrics();
  expect(metrics).toMatch(
    new RegExp(
      `iguana_gateway_denied_total\\{machine="${a.id}",method="PollActivityTaskQueue",reason="task-queue"\\} 7`,
    ),
  );
  expect(metrics).toMatch(/iguana_gateway_calls_total\{method="other",code="PERMISSION_DENIED"\} 2/);
  // Never a payload, never a token.
  const log = JSON.stringify(fleet.site.log);
  expect(log).not.toContain(Buffer.from(tokenOfB).toString('base64'));
});
