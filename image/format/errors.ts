/** An image that is not what docs/image-format.md says. */

/** What was wrong, with what was expected and what was found. */
export class BadImage extends Error {
  override readonly name = 'BadImage';
  /** e.g. `a multiple of 4096`. */
  readonly expected: string | undefined;
  readonly found: string | undefined;

  /**
   * @param doing a gerund with its object: `reading the chunk table of root`
   * @param what the reason, without full stop
   */
  constructor(
    doing: string,
    what: string,
    options: { expected?: string | number; found?: string | number; cause?: unknown } = {},
  ) {
    const { expected, found, cause } = options;
    const expectation = expected === undefined ? '' : `: expected ${expected}`;
    const finding = found === undefined ? '' : `, found ${found}`;
    super(`${doing}: ${what}${expectation}${finding}`, cause === undefined ? {} : { cause });
    this.expected = expected === undefined ? undefined : String(expected);
    this.found = found === undefined ? undefined : String(found);
  }
}
