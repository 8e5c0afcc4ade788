/** What a test file, or a benchmark, takes away when it has run, however deep in it it was made. */

const actions: (() => unknown)[] = [];

/** Runs all actions, the last one first. A benchmark calls it itself. */
export async function endAll(): Promise<void> {
  for (const action of actions.splice(0).toReversed()) await action();
}

// Registered when the file is loaded: a hook that is added while a test runs belongs to that test's block.
if (process.env.VITEST) (await import('vitest')).afterAll(endAll);

/** Runs an action when all tests of the file have run; the last one first. */
export function atEnd(action: () => unknown): void {
  actions.push(action);
}
