/** Canonical digests of values: equal values have equal digests, however their keys are ordered. */
import { createHash } from 'node:crypto';
import type { Digest } from './schema/common.ts';

/**
 * Canonical JSON as RFC 8785 (JSON Canonicalization Scheme) defines it: keys sorted by UTF-16 code units, no white
 * space, numbers and texts as ECMAScript writes them. Keys whose value is undefined are left out, as in JSON.
 * @throws TypeError for what JSON cannot hold: infinite numbers, functions, lone surrogates, …
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      // The default order of sort() is that of UTF-16 code units.
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`);
    return `{${members.join()}}`;
  }
  const isText = typeof value === 'string' && value.isWellFormed();
  if (value === null || typeof value === 'boolean' || isText || Number.isFinite(value))
    return JSON.stringify(value);
  throw new TypeError(`canonical JSON cannot hold ${typeof value} ${String(value).slice(0, 40)}`);
}

/** @returns the SHA-256 of the value's canonical JSON */
export function digestOf(value: unknown): Digest {
  return digestOfText(canonicalJson(value));
}

/** @returns the SHA-256 of a text in UTF-8 */
export function digestOfText(text: string): Digest {
  return `sha256:${createHash('sha256').update(text, 'utf8').digest('hex')}`;
}
