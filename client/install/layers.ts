/** Reads profile files: checked on this machine first, so that a slip costs nothing, with the files they name read in. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isSeq, parseDocument, type YAMLMap } from 'yaml';
import type { Layer } from '../../activities/contract.ts';
import { checkProfile } from '../../manifest/check-profile.ts';
import { type Diagnostic, formatDiagnostics } from '../../manifest/diagnostics.ts';
import { digestOfText } from '../../manifest/digest.ts';
import type { Candidate } from '../../manifest/plan-types.ts';
import { type CommandError, usageError } from '../errors.ts';
import { counted, formatBytes } from '../output/format.ts';

/** More than any profile: reading it to check it would only fill the memory. */
const MAX_FILE_BYTES = 16 * 2 ** 20;

/** Lists whose entries may say `source:` instead of `content:`. */
const SOURCE_LISTS = [
  ['image', 'files'],
  ['image', 'scripts'],
  ['machine', 'files'],
  ['machine', 'firstBoot'],
] as const;

/**
 * Finds every mistake in profiles, each for itself.
 * @throws CommandError (usage) where a file cannot be read
 */
export async function checkProfiles(files: readonly string[]): Promise<readonly Diagnostic[]> {
  const found = await Promise.all(
    files.map(async (file) => checkProfile(await readProfile(file), file).diagnostics),
  );
  return found.flat();
}

/**
 * Reads profiles as layers, the first at the bottom.
 * @throws CommandError (usage) with all mistakes of all files
 */
export async function readLayers(files: readonly string[]): Promise<Layer[]> {
  const mistakes = await checkProfiles(files);
  if (mistakes.length > 0) throw mistakesError(mistakes);
  return Promise.all(
    files.map(async (name) => makeLayer(name, await withSources(await readProfile(name), name))),
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

/** Replaces every `source:` by the content of the file it names, beside the profile. */
async function withSources(text: string, profile: string): Promise<string> {
  const document = parseDocument(text);
  const found: Promise<void>[] = [];
  for (const path of SOURCE_LISTS) {
    const list = document.getIn(path);
    if (!isSeq(list)) continue;
    for (const item of list.items) {
      if (isMap(item) && item.has('source')) found.push(readSource(document, item, profile));
    }
  }
  await Promise.all(found);
  // Untouched text keeps its comments and its digest.
  return found.length > 0 ? document.toString() : text;
}

async function readSource(document: Document, item: YAMLMap, profile: string): Promise<void> {
  const source = resolve(dirname(profile), String(item.get('source')));
  try {
    const content = await readFile(source);
    const encoding = item.get('encoding') === 'base64' ? 'base64' : 'utf8';
    item.set('content', document.createNode(content.toString(encoding)));
    item.delete('source');
  } catch (cause) {
    throw usageError(`reading ${source}, which ${profile} names as a source`, { cause });
  }
}
