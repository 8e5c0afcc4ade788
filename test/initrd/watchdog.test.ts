/** When a machine restarts by itself: the boot image's own script, run as it is; only systemctl is another one, or this host would restart. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { touchAlive } from '../../worker/enrolment/alive.ts';
import { folderWith } from '../client/folder.ts';

const SCRIPT = fileURLToPath(new URL('../../initrd/boot/root/usr/lib/iguana/watchdog', import.meta.url));
const SYSTEMCTL = `#!/bin/sh\necho "$*" >>"\${0%/*}/asked"\n`;
const LIMIT = 1000;

/** The script, in a folder like /run/iguana. */
class Watchdog {
  said = '';
  readonly alive: string;
  readonly #folder: string;
  readonly #script;

  /** @param folder with the limit in it */
  constructor(folder: string) {
    this.#folder = folder;
    this.alive = join(folder, 'alive');
    // The trace tells what it does: it sleeps, looks, and sleeps. Through one pipe with what it says, so that the order is kept.
    this.#script = execa('sh', ['-c', 'exec sh -x "$@" 2>&1', 'sh', SCRIPT, folder], {
      env: { PATH: `${folder}:${process.env.PATH}` },
      stdin: 'ignore',
      detached: true,
      reject: false,
      buffer: false,
    });
    this.#script.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
  }

  /** What systemctl was told. */
  get asked(): string {
    const file = join(this.#folder, 'asked');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Waits until it has looked so many times. */
  async looks(times: number): Promise<void> {
    while ((this.said.match(/^\+ sleep 10$/gm)?.length ?? 0) <= times)
      await once(this.#script.stdout, 'data');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What sleeps is a process of its own.
    if (this.#script.pid) process.kill(-this.#script.pid, 'SIGKILL');
    await this.#script;
  }
}

async function folderOf(): Promise<string> {
  const folder = folderWith({ watchdog: `${LIMIT}\n`, systemctl: SYSTEMCTL });
  await chmod(join(folder, 'systemctl'), 0o755);
  return folder;
}

/** As if the last contact was longer ago than the limit. */
async function age(alive: string): Promise<void> {
  const then = new Date(Date.now() - 2 * LIMIT * 1000);
  await utimes(alive, then, then);
}

describe('the watchdog', { concurrent: true }, () => {
  it('restarts the machine when nothing has gone on for too long, and says so', async () => {
    const folder = await folderOf();
    await writeFile(join(folder, 'alive'), '');
    await age(join(folder, 'alive'));
    await using watchdog = new Watchdog(folder);
    await watchdog.looks(1);
    expect(watchdog.asked).toBe('reboot\n');
    expect(watchdog.said).toMatch(
      /^nothing has gone on for 20\d\d s \(iguana\.watchdog=1000\): restarting the machine$/m,
    );
  });

  it('counts from its own start where there was no contact yet', async () => {
    await using watchdog = new Watchdog(await folderOf());
    await watchdog.looks(1);
    expect((await stat(watchdog.alive)).mtimeMs).toBeGreaterThan(Date.now() - LIMIT * 1000);
    expect(watchdog.asked).toBe('');
    expect(watchdog.said).not.toContain('restarting the machine\n');
  });

  it('leaves a machine alone for as long as its agent tells of contact', async () => {
    const folder = await folderOf();
    await writeFile(join(folder, 'alive'), '');
    await age(join(folder, 'alive'));
    await touchAlive(join(folder, 'alive'));
    await using watchdog = new Watchdog(folder);
    await watchdog.looks(1);
    expect(watchdog.asked).toBe('');
    await age(watchdog.alive);
    await watchdog.looks(2);
    expect(watchdog.asked).toBe('reboot\n');
  });
});
