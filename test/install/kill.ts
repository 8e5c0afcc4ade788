/**
 * Kill anything: SIGKILL to the agent, the workers, Temporal, and all of them with the server, at every phase boundary and
 * inside the long phases. Every install must end well, with the disk of an undisturbed one, and no finished step done again.
 */
import { mkdtempSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WriteResult } from '../../activities/contract.ts';
import { readLayers } from '../../client/install/layers.ts';
import type { Iguana } from '../../client/library.ts';
import { type InstallStatus, installWorkflowId, PHASES, type Phase } from '../../workflows/api.ts';
import { readHistory } from '../support/read-history.ts';
import { type DiskContent, differences, diskContent } from './disk-content.ts';
import { DiskWrites } from './disk-writes.ts';
import { answersOf, completedActivities } from './history.ts';
import { loopDevicesOf, Site, type Victim } from './site.ts';

/** Different on every machine by intent; everything else must be equal. */
const UNIQUE =
  /^(\/etc\/(machine-id|fstab|kernel\/cmdline|ssh\/ssh_host_.*|iguana\/(record|changes)\.json)|::\/loader\/entries\/.*\.conf)$/;

const DISK_BYTES = 4 * 2 ** 30;
const PROFILES = ['../../docs/examples/demo.yaml', './profile.yaml'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);

let site: Site;
let undisturbed: DiskContent;
/** What an undisturbed install writes to its disk. */
let undisturbedBytes: number;
let dataBytes: number;

/** What disturbs an install: called with every state that is seen, several times a second. */
type Disturb = (iguana: Iguana, status: InstallStatus) => Promise<void>;

/** Installs onto a new disk image, disturbed or not, and waits for the end. */
async function install(machineId: string, disturb: Disturb = async () => undefined, reportUrl?: string) {
  const path = join(site.paths.root, 'disks', `${machineId}.img`);
  await mkdir(join(site.paths.root, 'disks'), { recursive: true });
  using writes = new DiskWrites(path);
  await using iguana = site.connect();
  await iguana.startInstall({
    machineId,
    target: { kind: 'file', path, sizeBytes: DISK_BYTES },
    layers: await readLayers(PROFILES),
    approval: 'ask',
    ...(reportUrl && { reportUrl }),
  });
  for (;;) {
    // Temporal itself may be dead at this moment: the library waits for it to come back.
    const status = await iguana.status(machineId).catch(() => undefined);
    if (status?.outcome || status?.attention) {
      return { iguana, path, status, writtenBytes: writes.bytes };
    }
    if (status) await disturb(iguana, status);
    await sleep(30);
  }
}

/** Kills once in each of the phases, as soon as it is seen, and notes it in `hit`. */
function atEachPhase(victim: Victim, among: readonly Phase[], hit: Phase[]): Disturb {
  return async (_, { phases }) => {
    const running = phases.find(({ state }) => state === 'running')?.phase;
    if (!running || !among.includes(running) || hit.includes(running)) return;
    hit.push(running);
    await site.kill(victim);
  };
}

async function expectLikeUndisturbed(machineId: string, path: string, status: InstallStatus): Promise<void> {
  expect(status.attention, JSON.stringify(status.attention)).toBeUndefined();
  expect(status.outcome).toBe('succeeded');
  expect(status.phases.map(({ state }) => state)).toEqual(PHASES.map(() => 'done'));
  expect(differences(undisturbed, diskContent(path)).filter((name) => !UNIQUE.test(name))).toEqual([]);
  expect(loopDevicesOf(path)).toBe('');
  await using iguana = site.connect();
  const handle = (await iguana.client()).workflow.getHandle(installWorkflowId(machineId));
  const counts = completedActivities(await handle.fetchHistory());
  for (const [name, count] of counts) expect(`${name} ${count}`).toBe(`${name} 1`);
}

/**
 * A kill may cost 2 % of the image and a chunk. Holes are punched again where a write goes on: nothing is written, but the kernel's
 * statistics count it. What is found again is shown to the byte in `test/disk/positive/interrupted`.
 */
async function expectLittleAgain(machineId: string, writtenBytes: number, kills: number): Promise<void> {
  await using iguana = site.connect();
  const history = await readHistory(await iguana.client(), installWorkflowId(machineId));
  const [last] = answersOf(history, 'writeImage') as WriteResult[];
  if (!last) throw new Error(`${machineId} has written no image`);
  const allowance = kills * (0.02 * dataBytes + 4 * 2 ** 20 + last.skippedBytes);
  const said = `${kills} kills; the last attempt: ${JSON.stringify(last)}; undisturbed: ${undisturbedBytes}`;
  expect(writtenBytes - undisturbedBytes, said).toBeLessThan(allowance);
}

/** Each kill costs a heartbeat time-out, each build a minute or more. */
const PATIENCE = { timeout: 1_200_000 };

/** Phases that last long enough to be seen; the others are over within a poll. */
const BOUNDARIES: readonly Phase[] = ['probe', 'partition', 'write', 'personalise', 'bootloader', 'verify'];

/** Registers the tests; one after the other, beside others. */
export function killTests(): void {
  describe('kill -9', { concurrent: false }, () => {
    beforeAll(async () => {
      site = new Site(mkdtempSync(join(tmpdir(), 'iguana-kill-')));
      await site.start();
      const { path, status, writtenBytes } = await install('undisturbed');
      undisturbed = diskContent(path);
      undisturbedBytes = writtenBytes;
      dataBytes = status.image?.dataBytes ?? 0;
    });
    afterAll(() => site.remove());

    describe('killed at each phase boundary', PATIENCE, () => {
      it.each(['agent', 'workers', 'temporal', 'all'] as const)('%s', async (victim) => {
        const hit: Phase[] = [];
        // A phase may pass unseen while the kill in the one before takes its time: the next install is killed only there.
        for (
          let attempt = 1;
          attempt <= 3 && BOUNDARIES.some((phase) => !hit.includes(phase));
          attempt += 1
        ) {
          const machineId = `boundary-${victim}-${attempt}`;
          const { path, status } = await install(
            machineId,
            atEachPhase(victim, attempt === 1 ? PHASES : BOUNDARIES, hit),
          );
          await expectLikeUndisturbed(machineId, path, status);
        }
        expect(hit).toEqual(expect.arrayContaining([...BOUNDARIES]));
      });
    });

    describe('killed inside', PATIENCE, () => {
      const phases = ['partition', 'write', 'personalise'] as const;
      const cases = phases.flatMap((phase) =>
        (['agent', 'all'] as const).map((victim) => [phase, victim] as const),
      );

      it.each(cases)('%s, %s, at several moments', async (phase, victim) => {
        const delays = [0, 150, 400];
        const machineId = `inside-${phase}-${victim}`;
        const { path, status, writtenBytes } = await install(machineId, async (_, { phases: states }) => {
          const running = states.find(({ state }) => state === 'running')?.phase;
          const delay = running === phase ? delays.shift() : undefined;
          if (delay === undefined) return;
          await sleep(delay);
          await site.kill(victim);
          // The next attempt begins when the heartbeat of this one has timed out.
          await sleep(11_000);
        });
        await expectLikeUndisturbed(machineId, path, status);
        if (phase === 'write') await expectLittleAgain(machineId, writtenBytes, 3 - delays.length);
      });
    });

    describe('killed inside the build', PATIENCE, () => {
      it.each(['workers', 'all'] as const)('%s: builds again, once, and finishes', async (victim) => {
        const building = new Site(mkdtempSync(join(tmpdir(), 'iguana-kill-build-')));
        const outer = site;
        try {
          await building.start();
          site = building;
          const moments = [3_000, 12_000];
          const machineId = `build-${victim}`;
          const { path, status } = await install(machineId, async (_, { phase }) => {
            const moment = phase === 'build' ? moments.shift() : undefined;
            if (moment === undefined) return;
            await sleep(moment);
            await building.kill(victim);
            await sleep(11_000);
          });
          await expectLikeUndisturbed(machineId, path, status);
          expect(moments).toEqual([]);
        } finally {
          site = outer;
          await building.remove();
        }
      });
    });
  });
}
