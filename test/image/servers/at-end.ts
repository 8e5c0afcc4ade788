/** What a test file takes away when it has run, however deep in it it was made. */
import { afterAll } from 'vitest';

const actions: (() => unknown)[] = [];

// Registered when the file is loaded: a hook that is added while a test runs belongs to that test's block.
afterAll(async () => {
  for (const action of actions.toReversed()) await action();
});

/** Runs an action when all tests of the file have run; the last one first. */
export function atEnd(action: () => unknown): void {
  actions.push(action);
}
