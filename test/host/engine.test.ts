/** The container engine of this host: found, started again after a kill, and containers run to their end. */
import { mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilderImage } from '../../host/containers/builder.ts';
import type { Engine } from '../../host/engine/connect.ts';
import { openEngine } from '../../host/engine/open.ts';
import { podmanService } from '../../host/engine/podman-service.ts';
import { type ContainerRun, runContainer } from '../../host/engine/run.ts';
import { statePaths } from '../../host/state.ts';

const paths = statePaths();
const NAME = `iguana-test-${process.pid}`;
let engine: Engine;
let image: string;

beforeAll(async () => {
  engine = await openEngine(paths);
  image = await ensureBuilderImage(engine, paths, () => undefined);
});

/** Runs a shell script in the container; answers its status and lines. */
async function shell(script: string, more: Partial<ContainerRun> = {}) {
  const lines: string[] = [];
  const status = await runContainer(engine, {
    image,
    name: NAME,
    command: ['sh', '-c', script],
    networkMode: 'host',
    onOutput: (line, stream) => lines.push(`${stream}: ${line}`),
    ...more,
  });
  return { status, lines };
}

const containersNamed = async (name: string) =>
  (await engine.docker.listContainers({ all: true })).filter(({ Names }) => Names.includes(`/${name}`));

describe('running a container', () => {
  test('status, both streams, environment, folder and binds', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'iguana-'));
    const { status, lines } = await shell(
      'echo out; echo err >&2; echo "$GREETING" >/shared/greeting; pwd; exit 3',
      {
        env: { GREETING: 'good morning' },
        binds: [`${folder}:/shared`],
        workingDirectory: '/usr',
      },
    );
    expect(status).toBe(3);
    expect(lines.toSorted()).toEqual(['stderr: err', 'stdout: /usr', 'stdout: out']);
    expect(await readFile(join(folder, 'greeting'), 'utf8')).toBe('good morning\n');
    await rm(folder, { recursive: true });
  });

  test('no line is lost, and a line without end is cut', async () => {
    const { lines } = await shell("seq 20000; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end");
    expect(lines.length).toBe(20_002);
    expect(lines[19_999]).toBe('stdout: 20000');
    expect(lines[20_000]?.length).toBeLessThan(5000);
    expect(lines.at(-1)).toBe('stdout: end');
  });

  test('a container is removed when it has ended, and when it was aborted', async () => {
    const abort = new AbortController();
    const aborted = shell('echo started; sleep 1000', {
      signal: abort.signal,
      onOutput: () => abort.abort(new Error('enough')),
    });
    await expect(aborted).rejects.toThrow('enough');
    expect(await containersNamed(NAME)).toEqual([]);
  });

  test('what a killed caller left under the name is removed first', async () => {
    const left = await engine.docker.createContainer({ name: NAME, Image: image, Cmd: ['sleep', '1000'] });
    await left.start();
    expect((await shell('true')).status).toBe(0);
    expect(await containersNamed(NAME)).toEqual([]);
  });

  test('an image that is not there is named', async () => {
    await expect(shell('true', { image: 'localhost/iguana/none:1' })).rejects.toThrow(
      /localhost\/iguana\/none:1/,
    );
  });
});

describe('finding the engine', () => {
  test('what IGUANA_ENGINE names is used, and named when it does not answer', async () => {
    expect((await openEngine(paths, { IGUANA_ENGINE: engine.address })).version).toBe(engine.version);
    await expect(openEngine(paths, { IGUANA_ENGINE: 'unix:///nowhere.sock' })).rejects.toThrow(
      /unix:\/\/\/nowhere\.sock, which IGUANA_ENGINE names/,
    );
  });

  test('without any engine the error says which there are and how to get one', async () => {
    // A host without podman is one where it is not found; this host has it, in a folder that PATH names.
    const missing = new (await import('../../host/engine/errors.ts')).EngineMissing([
      'podman: not on the PATH',
    ]);
    expect(missing.message).toMatch(/neither podman nor Docker/);
    expect(missing.message).toMatch(/apt-get install podman/);
  });
});

describe("podman's service, in a folder of its own", () => {
  let folder: string;
  const own = () => ({ ...paths, engine: folder });
  const pid = async () => Number(await readFile(join(folder, 'podman.pid'), 'utf8'));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'iguana-engine-'));
  });
  afterAll(async () => {
    process.kill(await pid(), 'SIGKILL');
    await rm(folder, { recursive: true });
  });

  test('many callers start one, and it is started again after a kill', async () => {
    await Promise.all([1, 2, 3].map(() => podmanService(own())));
    const first = await pid();
    expect(await readlink(`/proc/${first}/cwd`)).toBe('/');
    await podmanService(own());
    expect(await pid()).toBe(first);

    process.kill(first, 'SIGKILL');
    await sleep(200);
    const again = await podmanService(own());
    expect(await pid()).not.toBe(first);
    const name = `${NAME}-restarted`;
    const status = await runContainer(again, { image, name, command: ['true'], networkMode: 'host' });
    expect(status).toBe(0);
  });
});
