/** Conditions over the facts of one disk. */
import { sizeToBytes } from './schema/common.ts';
import type { DiskFacts } from './schema/facts.ts';
import type { CompleteProfile } from './schema/profile.ts';

type DiskMatch = CompleteProfile['storage']['disk']['match'];

/** @returns for each condition that does not hold what the disk has instead; none where all hold */
export function matchFailures(disk: DiskFacts, match: DiskMatch): string[] {
  const patterns = (['id', 'wwn', 'serial', 'model', 'vendor', 'byPath'] as const).flatMap((field) =>
    patternFailure(field, match[field], disk[field]),
  );
  const flags = (['rotational', 'removable'] as const).flatMap((field) =>
    match[field] === undefined || match[field] === disk[field]
      ? []
      : [`${field} is ${disk[field]}, not ${match[field]}`],
  );
  return [...patterns, ...transportFailure(disk, match), ...flags, ...sizeFailures(disk, match)];
}

function patternFailure(field: string, pattern: string | undefined, value: string | undefined): string[] {
  if (pattern === undefined) return [];
  // A condition on something that the disk does not tell must fail: the given serial would else match every disk without.
  if (value === undefined) return [`has no ${field}, ${JSON.stringify(pattern)} is asked for`];
  return matchesGlob(value.trim(), pattern)
    ? []
    : [`${field} is ${JSON.stringify(value)}, not ${JSON.stringify(pattern)}`];
}

function transportFailure({ transport }: DiskFacts, match: DiskMatch): string[] {
  if (match.transport === undefined) return [];
  const wanted = [match.transport].flat();
  return wanted.includes(transport) ? [] : [`transport is ${transport}, not ${wanted.join(' or ')}`];
}

function sizeFailures({ sizeBytes }: DiskFacts, { size }: DiskMatch): string[] {
  const tooSmall = size?.min !== undefined && sizeBytes < sizeToBytes(size.min);
  const tooLarge = size?.max !== undefined && sizeBytes > sizeToBytes(size.max);
  return [
    ...(tooSmall ? [`size is ${sizeBytes} bytes, less than ${size.min}`] : []),
    ...(tooLarge ? [`size is ${sizeBytes} bytes, more than ${size.max}`] : []),
  ];
}

/**
 * Compares ignoring case, as identities are written in both.
 * @param pattern `*` stands for any text, `?` for one character
 */
export function matchesGlob(text: string, pattern: string): boolean {
  return matchHere(text.toLowerCase(), pattern.toLowerCase());
}

/** Goes back to the last `*` only: linear in practice, where a regular expression can take exponential time. */
function matchHere(text: string, pattern: string): boolean {
  let star = -1;
  let retry = 0;
  let at = 0;
  let index = 0;
  while (at < text.length) {
    if (index < pattern.length && pattern[index] === '*') {
      star = index++;
      retry = at;
    } else if (index < pattern.length && (pattern[index] === '?' || pattern[index] === text[at])) {
      index++;
      at++;
    } else if (star >= 0) {
      index = star + 1;
      at = ++retry;
    } else {
      return false;
    }
  }
  return pattern.slice(index).replaceAll('*', '') === '';
}
