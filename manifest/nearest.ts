/** Finds what was meant. */
import { distance } from 'fastest-levenshtein';

/** Nobody mistypes a name of this length; the comparison would take long instead. */
const LONGEST = 64;

/**
 * @returns the candidate that a slip of the fingers turns into `found`, or that `found` is the beginning of; undefined
 *   where none is that near
 */
export function nearest(found: string, candidates: readonly string[]): string | undefined {
  if (found.length === 0 || found.length > LONGEST) return undefined;
  const [best] = candidates
    .map((candidate) => ({ candidate, wrong: difference(found.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ wrong }) => wrong <= Math.ceil(found.length / 3))
    .sort((a, b) => a.wrong - b.wrong);
  return best?.candidate;
}

/** Letters left off at the end, or exchanged, count as one mistake. */
function difference(found: string, candidate: string): number {
  if (found.length === candidate.length && sorted(found) === sorted(candidate))
    return found === candidate ? 0 : 1;
  return Math.min(distance(found, candidate), distance(found, candidate.slice(0, found.length)) + 1);
}

const sorted = (text: string): string => [...text].sort().join('');
