/** What the builder container left, made into the files of the store. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { writeFileList } from '../../store/file-list.ts';
import { fileEntries } from './file-entries.ts';
import { parseLicences } from './licences.ts';
import { parsePackages } from './package-table.ts';
import { cycloneDx } from './sbom.ts';

/** Files for the store, and what they tell. */
export interface Results {
  readonly packageCount: number;
  readonly files: Readonly<Record<'root' | 'esp' | 'files' | 'sbom', string>>;
}

/** @param folder where the container wrote to */
export async function collectResults(folder: string, image: ManifestImage): Promise<Results> {
  const read = (name: string): Promise<Buffer> => readFile(join(folder, name));
  const files = {
    root: join(folder, 'root.img'),
    esp: join(folder, 'esp.tar'),
    files: join(folder, 'files.ndjson.zst'),
    sbom: join(folder, 'sbom.cdx.json'),
  };
  const packages = parsePackages(String(await read('packages.tsv')));
  const licences = parseLicences(String(await read('licences.txt')));
  await writeFile(files.sbom, `${JSON.stringify(cycloneDx(image, packages, licences), null, 1)}\n`);
  await writeFileList(fileEntries(await read('files.fields'), await read('files.digests')), files.files);
  return { packageCount: packages.length, files };
}
