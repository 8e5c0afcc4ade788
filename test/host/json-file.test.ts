import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readJsonFile, writeJsonFile } from '../../host/json-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iguana-json-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('of many writings at once one stays, whole', async () => {
  const file = join(folder, 'a.json');
  const values = Array.from({ length: 50 }, (_, n) => ({ n, text: 'x'.repeat(n * 100) }));
  await Promise.all(values.map((value) => writeJsonFile(file, value)));
  expect(values).toContainEqual(await readJsonFile(file));
  expect(await readdir(folder)).toEqual(['a.json']);
});

it('leaves nothing where it cannot write', async () => {
  const file = join(folder, 'a.json');
  await mkdir(file);
  await expect(writeJsonFile(file, {})).rejects.toThrow(/EISDIR|directory/);
  expect(await readdir(folder)).toEqual(['a.json']);
});
