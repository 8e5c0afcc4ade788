import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../activities/failures.ts';
import { InstallHarness } from '../workflows/install-harness.ts';
import { type Activities, layer, Script, untilCancelled } from '../workflows/scripted-activities.ts';
import { CommandLine } from './command.ts';
import { folderWith } from './folder.ts';

const CTRL_C = '\u0003';
/** ECMA-48 private modes of every terminal since the VT220. */
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

let harness: InstallHarness;
let iguana: CommandLine;
const folder = folderWith({ 'site.yaml': 'apiVersion: iguana/v1\nkind: Profile\n' });
const profile = join(folder, 'site.yaml');

beforeAll(async () => {
  harness = await InstallHarness.start();
  // The state folder of the workers: the keys of payloads are there.
  iguana = new CommandLine({
    TEMPORAL_ADDRESS: harness.environment.address,
    IGUANA_STATE: harness.keys.root,
  });
});
afterAll(async () => {
  await harness.stop();
});

/** What the scripted activities of one machine do. */
interface Scripted {
  readonly activities?: Partial<Activities>;
  readonly destroys?: string;
}

let count = 0;
/** Runs a test with workers for a machine of its own, onto a disk image of its own, with an image of its own. */
async function withMachine(
  { activities, destroys }: Scripted,
  test: (machine: string, install: readonly string[], script: Script) => Promise<void>,
): Promise<void> {
  const machine = `m${++count}`;
  const disk = join(folder, `${machine}.img`);
  const plans = new Script().activities;
  const text = [`build: ${machine}`, ...(destroys ? [`destroys: ${destroys}`] : [])].join('\n');
  const script = new Script({
    // The scripted plan reads lines of its own, which no profile may hold.
    plan: (input) => plans.plan({ ...input, layers: [layer('site', text)] }),
    ...activities,
  });
  await harness.withWorkers(script, [machine], () =>
    test(machine, ['install', profile, '--disk', disk, '--machine', machine], script),
  );
}

/** Never ends building. */
const BUILDING: Scripted = { activities: { buildImage: untilCancelled } };
const DESTROYING: Scripted = { destroys: 'ext4 "home", 500 GiB' };

/** Cannot write, until it is tried again. */
const failing = (): Scripted => {
  let broken = true;
  const writeImage: Activities['writeImage'] = async () => {
    if (!broken) return { writtenBytes: 500, reusedBytes: 0, skippedBytes: 500 };
    broken = false;
    throw failure('DiskTooSmall', 'writing root: 8 GiB do not fit', {
      cause: new Error('ENOSPC'),
      context: { needed: 8, candidates: ['a', 'b'] },
    });
  };
  return { activities: { writeImage } };
};

describe('install', () => {
  it('follows to the end: a line for each phase, exit status 0', async () => {
    await withMachine({}, async (machine, install) => {
      const { status, stdout } = await iguana.run(install);
      expect(status).toBe(0);
      for (const phase of ['probe', 'plan', 'build', 'write', 'verify', 'confirm'])
        expect(stdout).toMatch(new RegExp(`✔ ${phase}`));
      expect(stdout).toContain('succeeded');
      expect(stdout).toContain(`iguana history ${machine}`);
    });
  });

  it('gives programs one document for each change, and the outcome in the last', async () => {
    await withMachine({}, async (machine, install) => {
      const { status, documents } = await iguana.json(install);
      expect(status).toBe(0);
      expect(documents[0]).toMatchObject({ kind: 'started', machineId: machine, attached: false });
      expect(documents.at(-1)).toMatchObject({
        kind: 'snapshot',
        snapshot: { execution: 'COMPLETED', status: { outcome: 'succeeded', machineId: machine } },
      });
    });
  });

  it('asks this host for an agent that sees the folder of the disk image', async () => {
    await withMachine({}, async (machine, install) => {
      await iguana.run(install);
      const { requestedAgents } = await import('../../host/agent-requests.ts');
      const { statePaths } = await import('../../host/state.ts');
      const requests = await requestedAgents(statePaths({ IGUANA_STATE: iguana.state }));
      expect(requests).toContainEqual({ machineId: machine, folders: [folder] });
    });
  });

  it('shows the install that is running already instead of starting a second', async () => {
    await withMachine(BUILDING, async (machine, install, script) => {
      await iguana.run([...install, '--detach']);
      const second = await iguana.json([...install, '--detach']);
      expect(second).toMatchObject({ status: 0, documents: [{ attached: true, machineId: machine }] });
      await iguana.run(['abort', machine]);
      expect(script.count('probe')).toBe(1);
    });
  });

  it('goes on after Ctrl-C, which says how to come back, exit status 130', async () => {
    await withMachine(BUILDING, async (machine, install) => {
      const running = iguana.start(install);
      for await (const line of running) if (line.includes('build')) running.kill('SIGINT');
      const { exitCode, stderr } = await running;
      expect(exitCode).toBe(130);
      expect(stderr).toContain(`iguana watch ${machine}`);
      expect(stderr).toContain(`iguana resume ${machine}`);
      await expect(iguana.json(['status', machine])).resolves.toMatchObject({
        documents: [{ execution: 'RUNNING', status: { phase: 'build' } }],
      });
      await iguana.run(['abort', machine]);
    });
  });
});

describe('at a terminal', () => {
  it('shows what moves, and gives the terminal back after Ctrl-C', async () => {
    await withMachine(BUILDING, async (machine, install) => {
      const { exitCode, stdout } = await iguana.atTerminal(install, { asked: 'buildImage', answer: CTRL_C });
      expect(exitCode).toBe(130);
      expect(stdout).toContain(`iguana watch ${machine}`);
      expect(stdout.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(stdout.lastIndexOf(HIDE_CURSOR));
      await iguana.run(['abort', machine]);
    });
  });
});

describe('consent', () => {
  it('is not given without a terminal: exit status 4, then by approve, with name and reason', async () => {
    await withMachine(DESTROYING, async (machine, install) => {
      const waiting = await iguana.run(install);
      expect(waiting.status).toBe(4);
      expect(waiting.stdout).toContain('ext4 "home", 500 GiB');
      expect(waiting.stdout).toContain(`iguana approve ${machine}`);
      await expect(iguana.run(['status', machine])).resolves.toMatchObject({ status: 4 });
      const approved = await iguana.run(['approve', machine, '--reason', 'backed up', '--watch']);
      expect(approved.status).toBe(0);
      const { stdout } = await iguana.run(['history', machine]);
      expect(stdout).toMatch(/approve by \S+@\S+ \(backed up\)/);
    });
  });

  it.each([
    ['the name of the disk', 'disk.img', 0],
    ['yes, which is a reflex', 'yes', 4],
  ])('is asked for at a terminal: %s', async (_what, answer, status) => {
    await withMachine(DESTROYING, async (machine, install) => {
      const { exitCode, stdout } = await iguana.atTerminal(install, { asked: 'type the disk', answer });
      expect(stdout).toContain('ext4 "home", 500 GiB');
      expect(exitCode).toBe(status);
      if (status !== 0) await iguana.run(['abort', machine]);
    });
  });

  it('can be given beforehand by --yes, which the history keeps', async () => {
    await withMachine(DESTROYING, async (machine, install) => {
      await expect(iguana.run([...install, '--yes'])).resolves.toMatchObject({ status: 0 });
      const { stdout } = await iguana.run(['history', machine]);
      expect(stdout).toMatch(/approved beforehand by \S+@\S+ \(--yes\)/);
    });
  });

  it('is refused where nothing waits for it', async () => {
    await withMachine(BUILDING, async (machine, install) => {
      await iguana.run([...install, '--detach']);
      const { status, stderr } = await iguana.run(['approve', machine]);
      expect(status).toBe(1);
      expect(stderr).toContain('nothing waits for approval');
      await iguana.run(['abort', machine]);
    });
  });
});

describe('an install that needs attention', () => {
  it('ends the following with status 3, causes, context and remedy; retry lets it go on', async () => {
    await withMachine(failing(), async (machine, install) => {
      const stood = await iguana.run(install);
      expect(stood.status).toBe(3);
      expect(stood.stdout).toContain('writing root: 8 GiB do not fit');
      expect(stood.stdout).toContain('because ENOSPC');
      expect(stood.stdout).toContain('Choose a larger disk');
      expect(stood.stdout).toContain(`iguana retry ${machine}`);
      await expect(iguana.run(['status', machine])).resolves.toMatchObject({ status: 3 });
      await expect(iguana.run(['retry', machine, '--watch'])).resolves.toMatchObject({ status: 0 });
    });
  });

  it('takes a corrected layer in place of the one of the same name', async () => {
    await withMachine(failing(), async (machine, install) => {
      await iguana.run(install);
      await expect(iguana.run(['amend', machine, profile, '--watch'])).resolves.toMatchObject({ status: 0 });
      const { documents } = await iguana.json(['history', machine]);
      expect(documents).toMatchObject([
        {
          entries: expect.arrayContaining([
            expect.objectContaining({
              name: 'amend',
              args: expect.objectContaining({ layer: expect.objectContaining({ name: profile }) }),
            }),
          ]),
        },
      ]);
    });
  });

  it('cannot skip what the disk needs', async () => {
    await withMachine(failing(), async (machine, install) => {
      await iguana.run(install);
      const { status, stderr } = await iguana.run(['skip', machine, '--reason', 'in a hurry']);
      expect(status).toBe(1);
      expect(stderr).toContain('cannot be skipped');
      await iguana.run(['abort', machine]);
    });
  });
});

describe('abort', () => {
  it('waits until everything is cleaned up, and the reason stays', async () => {
    await withMachine({ activities: { writeImage: untilCancelled } }, async (machine, install, script) => {
      await iguana.run([...install, '--detach']);
      const { status, documents } = await iguana.json(['abort', machine, '--reason', 'wrong machine']);
      expect(status).toBe(0);
      expect(documents).toEqual([{ machineId: machine, outcome: 'aborted' }]);
      expect(script.count('release')).toBe(1);
      const { stdout } = await iguana.run(['history', machine]);
      expect(stdout).toContain('(wrong machine)');
    });
  });
});

describe('history', () => {
  it('tells phases, activities, results, the build, failures and decisions', async () => {
    await withMachine(failing(), async (machine, install) => {
      await iguana.run(install);
      await iguana.run(['retry', machine, '--watch']);
      const { status, stdout } = await iguana.run(['history', machine]);
      expect(status).toBe(0);
      for (const words of [
        `install/${machine}`,
        `layer ${profile} sha256:`,
        'plan',
        'manifestDigest sha256:',
        'build build/sha256:',
        'imageDigest sha256:',
        'DiskTooSmall: writing root: 8 GiB do not fit',
        'because ENOSPC',
        'remedy: Choose a larger disk',
        'retry by ',
        'writtenBytes 500 (500 B)',
        'succeeded',
      ])
        expect(stdout).toContain(words);
    });
  });
});

describe('status', () => {
  it('lists installs with phase and outcome', async () => {
    await withMachine({}, async (machine, install) => {
      await iguana.run(install);
      const listed = async (): Promise<unknown[]> => {
        const { documents } = await iguana.json(['status']);
        return documents[0] as unknown[];
      };
      // Visibility follows the workflow with a delay.
      await expect
        .poll(listed, { timeout: 20_000 })
        .toContainEqual(
          expect.objectContaining({ machineId: machine, phase: 'ended', outcome: 'succeeded' }),
        );
      const { stdout } = await iguana.run(['status']);
      expect(stdout).toMatch(/^MACHINE\s+PHASE\s+OUTCOME/);
    });
  });

  it('shows one install in detail', async () => {
    await withMachine({}, async (machine, install) => {
      await iguana.run(install);
      const { status, stdout } = await iguana.run(['status', machine]);
      expect(status).toBe(0);
      expect(stdout).toContain('3 packages');
      expect(stdout).toContain('✔ verify');
    });
  });

  it.each([['status'], ['watch'], ['history'], ['retry'], ['abort']])(
    '%s of a machine that nobody knows says so',
    async (command) => {
      const { status, stderr } = await iguana.run([command, 'nobody']);
      expect(status).toBe(1);
      expect(stderr).toContain('no install of machine nobody is known');
    },
  );
});

describe('resume', () => {
  it('lists what is unfinished and follows the one it is given', async () => {
    let go = false;
    const verify: Activities['verify'] = async () => {
      if (!go) throw failure('VerificationFailed', 'verifying: not what was written');
      return { files: 1, bytes: 1 };
    };
    await withMachine({ activities: { verify } }, async (machine, install) => {
      await iguana.run(install);
      const { status, stdout } = await iguana.run(['resume', machine]);
      expect(status).toBe(3);
      expect(stdout).toContain('these go on:');
      expect(stdout).toContain(machine);
      go = true;
      await iguana.run(['retry', machine, '--watch']);
    });
  });
});

describe('manifest show', () => {
  it('prints the manifest of an install', async () => {
    await withMachine({}, async (machine, install) => {
      await iguana.run(install);
      await expect(iguana.json(['manifest', 'show', machine])).resolves.toMatchObject({
        documents: [{ kind: 'Manifest' }],
      });
    });
  });
});
