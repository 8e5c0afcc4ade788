/** Reads profile files: checked on this machine first, so that a slip costs nothing, with the files they name read in. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Layer } from '../../activities/contract.ts';
import { type Diagnostic, formatDiagnostics } from '../../manifest/diagnostics.ts';
import { digestOfText } from '../../manifest/digest.ts';
import { type InlinedProfile, inlineSources } from '../../manifest/inline-sources.ts';
import type { Candidate } from '../../manifest/plan-types.ts';
import { type CommandError, usageError } from '../errors.ts';
import { counted, formatBytes } from '../output/format.ts';

/** More than any profile: reading it to check it would only fill the memory. */
const MAX_FILE_BYTES = 16 * 2 ** 20;

/**
 * Finds every mistake in profiles, each for itself.
 * @throws CommandError (usage) where a file cannot be read
 */
export async function checkProfiles(files: readonly string[]): Promise<readonly Diagnostic[]> {
  return (await inlined(files)).flatMap(({ diagnostics }) => diagnostics);
}

/**
 * Reads profiles as layers, the first at the bottom, with the files that they name as `source:` read in.
 * @throws CommandError (usage) with all mistakes of all files
 */
export async function readLayers(files: readonly string[]): Promise<Layer[]> {
  const profiles = await inlined(files);
  const mistakes = profiles.flatMap(({ diagnostics }) => diagnostics);
  if (mistakes.length > 0) throw mistakesError(mistakes);
  return profiles.map(({ name, text = '' }) => makeLayer(name, text));
}

async function inlined(files: readonly string[]): Promise<(InlinedProfile & { name: string })[]> {
  return Promise.all(
    files.map(async (name) => {
      const text = await readProfile(name);
      const read = (source: string): Promise<Uint8Array> => readFile(resolve(dirname(name), source));
      return { name, ...(await inlineSources(text, name, read)) };
    }),
  );
}

/** A layer of a text that is no file. */
export function makeLayer(name: string, text: string): Layer {
  return { name, digest: digestOfText(text), text };
}

/**
 * The error that lists mistakes.
 * @param candidates disks that were looked at, where none could be chosen
 */
export function mistakesError(
  mistakes: readonly Diagnostic[],
  candidates: readonly Candidate[] = [],
): CommandError {
  const disks = candidates.map(
    ({ id, sizeBytes, rejected }) =>
      `  ${id}, ${formatBytes(sizeBytes)}: ${rejected.join('; ') || 'possible'}`,
  );
  const lines = [`${counted(mistakes.length, 'mistake')}:`, formatDiagnostics(mistakes), ...disks];
  return usageError(lines.join('\n'), {
    remedy: 'Nothing was touched. `iguana manifest schema` prints what a profile may hold, for editors too.',
    details: { mistakes, ...(candidates.length > 0 && { candidates }) },
  });
}

async function readProfile(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) {
      throw usageError(`reading profile ${file}: it has ${formatBytes(size)}, which no profile has`, {
        remedy: 'Give large files as a package, or by `source:` and smaller than 1 MiB.',
      });
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      throw usageError(`reading profile ${file}`, { cause: error });
    }
    throw error;
  }
}
