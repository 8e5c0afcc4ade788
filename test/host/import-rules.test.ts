/** The import rules of docs/architecture.md: a violation fails the check. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const SOURCES = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = {
  'manifest/m.ts': 'export type M = string;\nexport const m = 1;\n',
  'activities/a.ts': 'export type A = string;\nexport const a = 1;\n',
  'workflows/api.ts': 'export const name = 1;\n',
  'workflows/w.ts': 'export const w = 1;\n',
  'host/h.ts': 'export const h = 1;\n',
  'image/i.ts': 'export const i = 1;\n',
  'store/s.ts': 'export const s = 1;\n',
  'test/t.ts': 'export const t = 1;\n',
};
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-imports-'));
  for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json'])
    await cp(join(SOURCES, name), join(folder, name));
  await symlink(join(SOURCES, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(MODULES)) await write(name, text);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

/** Rules broken by these files, as `FILE RULE`, and the exit status. */
async function check(files: Record<string, string>): Promise<{ status: number; broken: string[] }> {
  for (const [name, text] of Object.entries(files)) await write(name, text);
  const depcruise = join(SOURCES, 'node_modules/.bin/depcruise');
  const names = [...Object.keys(MODULES), ...Object.keys(files)];
  const answer = await new Promise<{ status: number; output: string }>((resolve) => {
    execFile(
      process.execPath,
      [depcruise, '--config', '.dependency-cruiser.cjs', '--output-type', 'err', ...names],
      { cwd: folder },
      (error, output) => resolve({ status: error ? Number(error.code) : 0, output }),
    );
  });
  await Promise.all(Object.keys(files).map((name) => rm(join(folder, name))));
  const found = answer.output.matchAll(/error ([\w-]+): (\S+)/g);
  return { status: answer.status, broken: [...found].map(([, rule, file]) => `${file} ${rule}`).toSorted() };
}

test('what the table allows passes', async () => {
  const files = {
    'workflows/x.ts': "import type { A } from '../activities/a.ts';\nexport type X = A;\n",
    'activities/x.ts': "import { h } from '../host/h.ts';\nexport const x = h;\n",
    'client/x.ts': "import { name } from '../workflows/api.ts';\nexport const x = name;\n",
    'bench/x.ts': "import { t } from '../test/t.ts';\nexport const x = t;\n",
    'store/x.ts': "import { i } from '../image/i.ts';\nexport const x = i;\n",
    'gateway/x.ts': "import { s } from '../store/s.ts';\nexport const x = s;\n",
  };
  expect(await check(files)).toEqual({ status: 0, broken: [] });
});

test('everything else fails, by file and rule', async () => {
  const { status, broken } = await check({
    'workflows/activity.ts': "import { a } from '../activities/a.ts';\nexport const x = a;\n",
    'workflows/host.ts': "import { h } from '../host/h.ts';\nexport const x = h;\n",
    'workflows/schema.ts': "import { z } from 'zod';\nexport const x = z;\n",
    'image/store.ts': "import type { s } from '../store/s.ts';\nexport type X = typeof s;\n",
    'store/host.ts': "import { h } from '../host/h.ts';\nexport const x = h;\n",
    'manifest/image.ts': "import { i } from '../image/i.ts';\nexport const x = i;\n",
    'manifest/type.ts': "import type { A } from '../activities/a.ts';\nexport type X = A;\n",
    'host/manifest.ts': "import { m } from '../manifest/m.ts';\nexport const x = m;\n",
    'host/missing.ts': "import { y } from './y.ts';\nexport const x = y;\n",
    'client/test.ts': "import { t } from '../test/t.ts';\nexport const x = t;\n",
    'client/workflow.ts': "import { w } from '../workflows/w.ts';\nexport const x = w;\n",
  });
  expect(broken).toEqual([
    'client/test.ts client-values',
    'client/workflow.ts client-values',
    'host/manifest.ts host-values',
    'host/missing.ts resolvable',
    'image/store.ts image-types',
    'manifest/image.ts manifest-values',
    'manifest/type.ts manifest-types',
    'store/host.ts store-values',
    'workflows/activity.ts workflows-values',
    'workflows/host.ts workflows-values',
    'workflows/schema.ts no-zod-in-workflows',
  ]);
  expect(status).toBeGreaterThan(0);
});
