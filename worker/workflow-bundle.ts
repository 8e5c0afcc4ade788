/** The workflow bundle: made from the sources once, then kept in the cache under the digest of what it was made of. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { FAILURE_CONVERTER } from '../host/codec/data-converter.ts';

const WORKFLOWS = fileURLToPath(new URL('../workflows', import.meta.url));
const LOCK_FILE = fileURLToPath(new URL('../package-lock.json', import.meta.url));

/** Bundling takes seconds, and every start of the control worker would pay them. */
async function sourceDigest(): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(LOCK_FILE))
    .update(await readFile(FAILURE_CONVERTER));
  for (const name of (await readdir(WORKFLOWS)).filter((file) => file.endsWith('.ts')).sort()) {
    hash.update(name).update(await readFile(join(WORKFLOWS, name)));
  }
  return hash.digest('hex');
}

/**
 * The bundle for the control worker.
 * @param cache Iguana's cache folder
 * @returns path of the bundle
 */
export async function workflowBundle(cache: string): Promise<string> {
  const folder = join(cache, 'workflows');
  const path = join(folder, `${await sourceDigest()}.cjs`);
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).some((name) => path.endsWith(name))) return path;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(WORKFLOWS, 'index.ts'),
    failureConverterPath: FAILURE_CONVERTER,
  });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, code);
  await rename(temporary, path);
  return path;
}
