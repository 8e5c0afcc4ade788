/** In which order jobs run: that of the file, except that a job comes after those that it needs. */

/** What a job needs, in the order of the file. */
export type Needs = ReadonlyMap<string, readonly string[]>;

/** The order, and the circles in which jobs need each other; where there are any, no order is of use. */
export interface Ordered {
  readonly order: readonly string[];
  /** e.g. `['a', 'b', 'a']`. */
  readonly circles: readonly (readonly string[])[];
}

/** @param needs names that are no jobs are passed over; at most some hundred jobs, since it goes deep */
export function orderJobs(needs: Needs): Ordered {
  const order: string[] = [];
  const circles: string[][] = [];
  const done = new Set<string>();
  const visit = (job: string, way: readonly string[]): void => {
    const begun = way.indexOf(job);
    if (begun >= 0) circles.push([...way.slice(begun), job]);
    if (begun >= 0 || done.has(job)) return;
    for (const needed of needs.get(job) ?? []) if (needs.has(needed)) visit(needed, [...way, job]);
    done.add(job);
    order.push(job);
  };
  for (const job of needs.keys()) visit(job, []);
  return { order, circles };
}
