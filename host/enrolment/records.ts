/** A folder of small JSON files, one for each record. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '../json-file.ts';

/** @returns all records of a folder, in the order of their file names; none where there is no folder */
export async function readRecords<T>(folder: string): Promise<T[]> {
  const records: T[] = [];
  for (const name of await recordNames(folder)) {
    // Removed since the folder was read: that is no failure.
    const record = await readJsonFile<T>(join(folder, name));
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** @returns names of the files */
export async function recordNames(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** @returns undefined where there is no such record */
export const readRecord = <T>(folder: string, name: string): Promise<T | undefined> =>
  readJsonFile<T>(join(folder, name));

/** Writes a record as a whole. */
export const writeRecord = (folder: string, name: string, record: unknown): Promise<void> =>
  writeJsonFile(join(folder, name), record);

/** Removes a record, if it is there. */
export const removeRecord = (folder: string, name: string): Promise<void> =>
  rm(join(folder, name), { force: true });
