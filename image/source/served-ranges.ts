/** Who gave which bytes lately: so that wrong ones can be held against the place that they came from. */
import type { Digest } from '../digest.ts';

/** A range of a blob, in bytes. */
export interface Range {
  readonly digest: Digest;
  readonly offset: number;
  readonly length: number;
}

/** More ranges than are ever being verified at once. */
const REMEMBERED = 1024;

/** A short memory. */
export class ServedRanges<Place> {
  readonly #ranges: (Range & { readonly by: Place })[] = [];

  add(range: Range & { readonly by: Place }): void {
    this.#ranges.push(range);
    if (this.#ranges.length > REMEMBERED) this.#ranges.shift();
  }

  /** The place that gave these bytes last, alone or within a longer range. */
  whoGave({ digest, offset, length }: Range): Place | undefined {
    return this.#ranges.findLast(
      (range) =>
        range.digest === digest && range.offset <= offset && range.offset + range.length >= offset + length,
    )?.by;
  }
}
