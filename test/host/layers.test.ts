/** The cache of layers keeps what is used, and nothing of what was killed. */
import { mkdirSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dropUnusedLayers } from '../../host/containers/layer.ts';

const DAY_MS = 24 * 3600 * 1000;

it('drops after a month what no image has used, and what a killed process has left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iguana-layers-'));
  const file = (name: string, days: number): void => {
    const path = join(folder, name);
    if (name.endsWith('/')) {
      mkdirSync(path);
      writeFileSync(join(path, 'file'), '');
    } else writeFileSync(path, '');
    const time = new Date(Date.now() - days * DAY_MS);
    utimesSync(path, time, time);
  };
  for (const [state, days] of [
    ['used', 1],
    ['unused', 40],
  ] as const) {
    for (const name of [`${state}.json`, `${state}.tar.new`, `${state}.tar.new.node`]) file(name, days);
    // A layer is older than its last use.
    file(`${state}.tar`, 50);
    file(`${state}.tar.new.work-a/`, days);
  }
  await dropUnusedLayers(folder);
  expect(readdirSync(folder).sort()).toEqual([
    'used.json',
    'used.tar',
    'used.tar.new',
    'used.tar.new.node',
    'used.tar.new.work-a',
  ]);
});
