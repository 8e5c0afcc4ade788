/** The real agent as a process, which knows the gateway's address, a digest and a token, and nothing else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { bundleAgent } from '../../host/containers/agent-bundle.ts';
import { listMachines, markSeen } from '../../host/enrolment/machines.ts';
import { approveKey, listPending } from '../../host/enrolment/pending.ts';
import { machineId } from '../../host/machine-id.ts';
import { Fleet } from './harness/fleet.ts';
import type { release } from './harness/workflows.ts';

const AGENT = fileURLToPath(new URL('../../worker/agent.ts', import.meta.url));

let fleet: Fleet;
let folder: string;
let agents: AgentProcess[];
beforeAll(async () => {
  fleet = await Fleet.start();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iguana-agent-'));
  agents = [];
});
afterEach(async () => {
  for (const agent of agents) await agent.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(fleet.site.paths.machines, { recursive: true, force: true });
  await rm(fleet.site.paths.seen, { recursive: true, force: true });
});
afterAll(() => fleet.stop());

/** One agent, and what it says. */
class AgentProcess {
  log = '';
  readonly #child: ChildProcess;

  constructor(env: NodeJS.ProcessEnv, program = AGENT) {
    this.#child = spawn(process.execPath, [program], { env: { ...process.env, ...env }, stdio: 'pipe' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    }
  }

  async says(what: string | RegExp): Promise<void> {
    const matches = typeof what === 'string' ? new RegExp(what) : what;
    await expect.poll(() => this.log, { timeout: 60_000, interval: 100 }).toMatch(matches);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exit;
  }
}

function startAgent(
  { port, digest }: { readonly port: number; readonly digest: string },
  token: string | undefined,
  { identity = 'identity', program = AGENT } = {},
): AgentProcess {
  const tokenFile = join(folder, 'token');
  if (token) writeFileSync(tokenFile, `${token}\n`);
  const agent = new AgentProcess(
    {
      IGUANA_GATEWAY: `https://127.0.0.1:${port}`,
      IGUANA_CA_DIGEST: digest,
      IGUANA_IDENTITY_DIR: join(folder, identity),
      IGUANA_STATE: join(folder, 'state'),
      ...(token && { IGUANA_TOKEN_FILE: tokenFile }),
    },
    program,
  );
  agents.push(agent);
  return agent;
}

const at = ({ port, authority }: Gateway) => ({ port, digest: authority.digest });

/** Has the agent do one of its real steps. */
async function works(): Promise<void> {
  const id = (await machineId()) ?? '';
  const { client } = fleet;
  const handle = await client.workflow.start<typeof release>('release', {
    taskQueue: 'control',
    workflowId: `release/${randomUUID()}`,
    args: [id],
  });
  await handle.result();
}

it('enrols, works, and is the same machine after a restart without any token', async () => {
  const gateway = await fleet.site.start();
  const agent = startAgent(at(gateway), await fleet.site.token());
  await agent.says('worker polls');
  await works();
  expect((await stat(join(folder, 'identity/key.json'))).mode & 0o777).toBe(0o600);
  await agent.stop('SIGKILL');
  const again = startAgent(at(gateway), undefined);
  await again.says('worker polls');
  await works();
  expect(await listMachines(fleet.site.paths)).toMatchObject([{ machineId: await machineId(), rekeys: 0 }]);
});

it('does so as the one file that is in its container, too', async () => {
  const { programs, nativeLibrary } = await bundleAgent();
  for (const { name, code } of programs) await writeFile(join(folder, name), code);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await mkdir(join(folder, dirname(nativeLibrary.path)), { recursive: true });
  await symlink(nativeLibrary.file, join(folder, nativeLibrary.path));
  const gateway = await fleet.site.start();
  const agent = startAgent(at(gateway), await fleet.site.token(), { program: join(folder, 'agent.js') });
  await agent.says('worker polls');
  await works();
});

it('renews its certificate by itself, many times, and loses neither a step nor a poll', async () => {
  const gateway = await fleet.site.start({ lifetimeMs: 9_000 });
  const agent = startAgent(at(gateway), await fleet.site.token());
  await agent.says('worker polls');
  for (let n = 0; n < 5; n++) {
    await sleep(5_000);
    await works();
  }
  expect(agent.log.match(/certificate renewed/g)?.length).toBeGreaterThanOrEqual(3);
  expect(agent.log).not.toMatch(/"level":[56]0/);
});

it('waits for an operator, says so with the digest of its key, and goes on by itself', async () => {
  const gateway = await fleet.site.start({ policy: { unknown: 'wait', approval: 'token' } });
  const agent = startAgent(at(gateway), undefined);
  await agent.says(/"reason":"no-token".*waiting to be let in: an operator has to approve/);
  const [pending] = await listPending(fleet.site.paths);
  expect(agent.log).toContain(pending?.keyDigest);
  await approveKey(fleet.site.paths, { machineId: (await machineId()) ?? '', by: 'ada' });
  await agent.says('worker polls');
  await works();
});

it('comes back with another key as after a power cut: first its old one has to be silent', async () => {
  const gateway = await fleet.site.start();
  const token = await fleet.site.token();
  const agent = startAgent(at(gateway), token);
  await agent.says('worker polls');
  await agent.stop('SIGKILL');
  await markSeen(fleet.site.paths, (await machineId()) ?? '');
  const rebooted = startAgent(at(gateway), token, { identity: 'another-identity' });
  await rebooted.says(/"reason":"in-use"/);
  await rebooted.says('worker polls');
  await works();
  expect(await listMachines(fleet.site.paths)).toMatchObject([{ rekeys: 1 }]);
});

it('trusts nobody but the authority whose digest it was given, and sends its token to nobody else', async () => {
  const gateway = await fleet.site.start();
  const token = await fleet.site.token();
  const issued = fleet.site.log.length;
  const agent = startAgent({ port: gateway.port, digest: `sha256:${'0'.repeat(64)}` }, token);
  await agent.says(
    /comparing the authority of .*its digest is sha256:.*and IGUANA_CA_DIGEST says sha256:0{64}/,
  );
  expect(fleet.site.log.slice(issued).filter(({ msg }) => msg === 'enrolment')).toEqual([]);
});
