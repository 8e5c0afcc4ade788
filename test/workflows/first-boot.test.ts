import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../activities/failures.ts';
import { UPDATES } from '../../workflows/api.ts';
import { InstallHarness, status, until } from './install-harness.ts';
import { digestOf, layer, Script, TOKEN_DIGEST, untilCancelled } from './scripted-activities.ts';

let harness: InstallHarness;
beforeAll(async () => {
  harness = await InstallHarness.start();
});
afterAll(async () => {
  await harness.stop();
});

const REPORT = { machineId: 'm', hostname: 'h', kernel: '6', bootId: 'b1' };
const attention = (s: { attention?: unknown }) => s.attention !== undefined;

describe('the first boot', () => {
  const waits = { layers: [layer('site', 'confirm: first-boot\nhandoff: virtual-machine\ntimeout: 60')] };
  it('ends the install with the right token only, and powers the machine off', async () => {
    const script = new Script({ runVirtualMachine: untilCancelled });
    await harness.run(script, waits, async (install) => {
      await until(install, (s) => s.phase === 'confirm' && script.count('runVirtualMachine') === 1);
      const report = (tokenDigest: string, bootId = 'b1') =>
        install.executeUpdate(UPDATES.reportFirstBoot, {
          args: [{ tokenDigest, report: { ...REPORT, bootId } }],
        });
      await expect(report(digestOf('forged'))).rejects.toMatchObject({
        cause: { message: expect.stringContaining('token') },
      });
      await report(TOKEN_DIGEST);
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
      expect((await status(install)).firstBoot).toMatchObject({ hostname: 'h', bootId: 'b1' });
    });
    expect(script.count('runVirtualMachine')).toBe(1);
  });

  it('stands when the machine powers off without a report, and boots again on retry', async () => {
    const script = new Script({
      runVirtualMachine: async () => undefined,
      firstBootOverdue: async ({ poweredOff }) => {
        throw failure('FirstBootTimeout', poweredOff ? 'it powered off' : 'it is silent');
      },
    });
    await harness.run(script, waits, async (install) => {
      const { attention: shown } = await until(install, attention);
      expect(shown).toMatchObject({ type: 'FirstBootTimeout', causes: ['it powered off'], canSkip: true });
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await until(install, (s) => attention(s) && script.count('runVirtualMachine') === 2);
      await install.executeUpdate(UPDATES.skip, { args: [{ by: 'ada', reason: 'seen it boot' }] });
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
    });
  });

  it('counts also when it is reported late', async () => {
    const script = new Script({
      firstBootOverdue: async () => {
        throw failure('FirstBootTimeout', 'silent');
      },
    });
    await harness.run(script, waits, async (install) => {
      await until(install, attention);
      await install.executeUpdate(UPDATES.reportFirstBoot, {
        args: [{ tokenDigest: TOKEN_DIGEST, report: REPORT }],
      });
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
    });
  });

  it('was not reported in time by a machine that runs', async () => {
    const script = new Script({
      runVirtualMachine: untilCancelled,
      firstBootOverdue: async ({ poweredOff }) => {
        throw failure('FirstBootTimeout', poweredOff ? 'it powered off' : 'it is silent');
      },
    });
    const impatient = {
      layers: [layer('site', 'confirm: first-boot\nhandoff: virtual-machine\ntimeout: 1')],
    };
    await harness.run(script, impatient, async (install) => {
      expect((await until(install, attention)).attention?.causes).toEqual(['it is silent']);
      await install.terminate();
    });
  });

  it('changes the system: what is amended after it begins with writing', async () => {
    const script = new Script({
      firstBootOverdue: async () => {
        throw failure('FirstBootTimeout', 'silent');
      },
    });
    const [site] = waits.layers;
    await harness.run(script, waits, async (install) => {
      await until(install, attention);
      await install.executeUpdate(UPDATES.amend, {
        args: [{ by: 'ada', layer: layer('site', `${site?.text}\npersonalise: b`) }],
      });
      await until(install, (s) => attention(s) && script.count('runVirtualMachine') === 2);
      await install.terminate();
    });
    for (const twice of ['writeImage', 'personalise', 'verify'] as const) {
      expect(script.count(twice)).toBe(2);
    }
    expect(script.count('partition')).toBe(1);
  });

  it('with scripts that failed asks somebody, who may accept it', async () => {
    const script = new Script({ runVirtualMachine: untilCancelled });
    await harness.run(script, waits, async (install) => {
      await until(install, (s) => s.phase === 'confirm' && script.count('runVirtualMachine') === 1);
      const report = { ...REPORT, failedScripts: ['join-domain'] };
      await install.executeUpdate(UPDATES.reportFirstBoot, { args: [{ tokenDigest: TOKEN_DIGEST, report }] });
      const { attention: shown, firstBoot } = await until(install, attention);
      expect(shown).toMatchObject({ type: 'FirstBootScriptFailed', causes: ['join-domain'], canSkip: true });
      expect(firstBoot).toMatchObject({ failedScripts: ['join-domain'] });
      await install.executeUpdate(UPDATES.skip, { args: [{ by: 'ada', reason: 'joined by hand' }] });
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
    });
  });

  it('says that the machine has left, where the agent’s own word was lost with it', async () => {
    const script = new Script({ leave: untilCancelled });
    const reboots = { layers: [layer('site', 'confirm: first-boot\nhandoff: reboot')] };
    await harness.run(script, reboots, async (install) => {
      await until(install, (s) => s.phase === 'handoff' && script.count('leave') === 1);
      await install.executeUpdate(UPDATES.reportFirstBoot, {
        args: [{ tokenDigest: TOKEN_DIGEST, report: REPORT }],
      });
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
    });
  });

  it('is waited for again, and the machine not told to leave twice', async () => {
    const script = new Script({
      firstBootOverdue: async () => {
        throw failure('FirstBootTimeout', 'silent');
      },
    });
    const reboots = { layers: [layer('site', 'confirm: first-boot\nhandoff: reboot\ntimeout: 1')] };
    await harness.run(script, reboots, async (install) => {
      await until(install, attention);
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await until(install, (s) => attention(s) && script.count('firstBootOverdue') === 2);
      await install.terminate();
    });
    expect(script.count('leave')).toBe(1);
  });
});
