/** What apt's messages mean. */
import type { FailureType } from '../failures.ts';

interface Explanation {
  readonly type: FailureType;
  readonly why: string;
}

/** In this order: an archive that is not signed is reported together with lists that cannot be read. */
const PATTERNS: readonly {
  readonly type: FailureType;
  readonly pattern: RegExp;
  readonly why: (subjects: string) => string;
}[] = [
  {
    type: 'PackageUnknown',
    pattern:
      /^E: (?:Unable to locate package|Couldn't find any package by (?:regex|glob)|Package) '?([^\s']+?)'?(?: has no installation candidate)?$/,
    why: (names) => `no repository has the package ${names}`,
  },
  {
    type: 'RepositoryUntrusted',
    pattern: /(?:OpenPGP signature verification failed|GPG error): (\S+ \S+)/,
    why: (names) => `the signature of ${names} is not one of the key given for it`,
  },
  {
    type: 'RepositoryUntrusted',
    pattern: /^E: The repository '([^']+)' is not signed/,
    why: (names) => `${names} is not signed`,
  },
  {
    type: 'PackagesUnavailable',
    pattern: /^E: Failed to fetch (\S+)/,
    why: (names) => `fetching ${names} failed`,
  },
  {
    type: 'PackageUnknown',
    pattern: /^E: The repository '([^']+)' does not have a Release file/,
    why: (names) => `there is no repository ${names}`,
  },
];

/**
 * @param lines what mmdebstrap and apt wrote
 * @returns undefined where the packages were not the reason
 */
export function explainPackages(lines: readonly string[]): Explanation | undefined {
  for (const { type, pattern, why } of PATTERNS) {
    const subjects = new Set(lines.flatMap((line) => pattern.exec(line)?.[1] ?? []));
    if (subjects.size > 0) return { type, why: why([...subjects].join(', ')) };
  }
  return undefined;
}
