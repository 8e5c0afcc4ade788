/** The install of one machine, and what happens to it meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readLayers } from '../../client/install/layers.ts';
import { type InstallStatus, installWorkflowId, type Phase } from '../../workflows/api.ts';
import type { Site } from '../install/site.ts';
import { type History, readHistory } from '../support/read-history.ts';
import type { VirtualMachine } from './virtual-machine.ts';

/** The host, as guests of QEMU's user network see it. */
export const HOST = '10.0.2.2';
const DEMO = fileURLToPath(new URL('../../docs/examples/demo.yaml', import.meta.url));
const own = (action: Handoff) =>
  JSON.stringify({
    apiVersion: 'iguana/v1',
    kind: 'Profile',
    storage: { disk: { match: { serial: 'disk-0' } } },
    handoff: { action },
    confirmation: { wait: 'first-boot' },
  });

/** How a machine goes over to the installed system. */
export type Handoff = 'reboot' | 'kexec';
const POLL_MS = 100;

/** Something that goes wrong, in a phase when something holds, or when the console says something. */
export type Accident = { readonly happens: () => Promise<void> } & (
  | {
      readonly phase: Phase;
      /** Default: as soon as the phase runs. */
      readonly when?: (status: InstallStatus) => boolean | Promise<boolean>;
    }
  | { readonly said: RegExp }
);

/** One machine that installs itself. */
export class MachineInstall {
  readonly id: string;
  readonly machine: VirtualMachine;
  readonly #site: Site;

  constructor(site: Site, id: string, machine: VirtualMachine) {
    this.#site = site;
    this.id = id;
    this.machine = machine;
  }

  async start(action: Handoff = 'reboot'): Promise<void> {
    await using iguana = this.#site.connect();
    const layers = await readLayers([DEMO]);
    const reportUrl = `http://${HOST}:${new URL(await this.#site.reportAddress()).port}/v1/first-boot`;
    await iguana.startInstall({
      machineId: this.id,
      target: { kind: 'machine' },
      layers: [...layers, { name: 'own', digest: layers[0]?.digest ?? 'sha256:', text: own(action) }],
      approval: 'ask',
      reportUrl,
    });
  }

  /** Lets accidents happen, one after the other, until the machine has left the installer. */
  async through(accidents: readonly Accident[]): Promise<void> {
    for (const accident of accidents) {
      if ('said' in accident) await this.consoleSinceStart(accident.said);
      else await this.#within(accident.phase, accident.when);
      await accident.happens();
    }
    await this.until('the handoff', ({ phases }) =>
      phases.some(({ phase, state }) => phase === 'handoff' && state === 'done'),
    );
  }

  async #within(
    phase: Phase,
    when: (status: InstallStatus) => boolean | Promise<boolean> = () => true,
  ): Promise<void> {
    await this.until(phase, async (status) => {
      const { state } = status.phases.find((it) => it.phase === phase) ?? {};
      if (state === 'done')
        throw new Error(`${this.id}: phase ${phase} was over before its accident could happen`);
      return state === 'running' && (await when(status));
    });
  }

  /** Waits until the install has ended. */
  async end(): Promise<InstallStatus> {
    return await this.until('the first boot', ({ outcome }) => outcome !== undefined);
  }

  /**
   * Waits for a state of the install; servers may be away meanwhile.
   * @throws Error where the install needs attention, or the machine cannot run
   */
  async until(
    what: string,
    is: (status: InstallStatus) => boolean | Promise<boolean>,
  ): Promise<InstallStatus> {
    await using iguana = this.#site.connect();
    for (;;) {
      this.machine.requireRunnable();
      const status = await iguana.status(this.id).catch(() => undefined);
      if (status?.attention)
        throw new Error(
          `${this.id}, waiting for ${what}: ${JSON.stringify(status.attention)}\n${await this.machine.console()}`,
        );
      if (status && (await is(status))) return status;
      await sleep(POLL_MS);
    }
  }

  /** Waits until the console says something, or has said it at any start. */
  async console(words: RegExp): Promise<void> {
    await this.#said(words, () => this.machine.console());
  }

  /** Waits until the console says something after the last start. */
  async consoleSinceStart(words: RegExp): Promise<void> {
    await this.#said(words, () => this.machine.consoleSinceStart());
  }

  async #said(words: RegExp, text: () => Promise<string>): Promise<void> {
    while (!words.test(await text())) {
      this.machine.requireRunnable();
      await sleep(POLL_MS);
    }
  }

  /** Decrypted. */
  async history(): Promise<History> {
    await using iguana = this.#site.connect();
    return await readHistory(await iguana.client(), installWorkflowId(this.id));
  }
}
