/** What a check of the host answers. */

/** One thing that Iguana needs, or that would help. */
export interface Check {
  readonly name: string;
  /** `missing`: installs fail without it. `warning`: something is slower, or narrower, than it could be. */
  readonly state: 'ok' | 'missing' | 'warning';
  /** What was found, with its version or size. */
  readonly found: string;
  /** How to get it; none where all is well. */
  readonly remedy?: string;
}

/** @returns a check that is well */
export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found });
/** @returns a check of something without which installs fail */
export const missing = (name: string, found: string, remedy: string): Check => ({
  name,
  state: 'missing',
  found,
  remedy,
});
/** @returns a check of something that would help */
export const warning = (name: string, found: string, remedy: string): Check => ({
  name,
  state: 'warning',
  found,
  remedy,
});

/** An error in words. */
export const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
