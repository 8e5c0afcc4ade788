/**
 * Writes what is generated from the schemas: `manifest/published/*.schema.json` and `docs/manifest.md`. Run it after a
 * change of a schema or of the defaults: `node manifest/publish.ts`. A test fails when the files are out of date.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DOCUMENTS, jsonSchema } from './json-schema.ts';
import { renderReference } from './reference.ts';

const ROOT = join(import.meta.dirname, '..');

/** @returns the text of each generated file by its path in the repository */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...DOCUMENTS.map((document): [string, string] => [
      `manifest/published/${document}.schema.json`,
      `${JSON.stringify(jsonSchema(document), null, 2)}\n`,
    ]),
    ['docs/manifest.md', renderReference()],
  ]);
}

if (import.meta.main) {
  for (const [path, text] of generatedFiles()) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), text);
  }
}
