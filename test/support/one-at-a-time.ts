/**
 * Loaded before every test file. Files run side by side, three at once; those that work on the host's disks would be in one another's way,
 * those that build, and those that work with the engine's images or in virtual machines: each kind waits here for its turn.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { withLock } from '../../host/lock.ts';
import { statePaths } from '../../host/state.ts';
import { turnOf } from './turn-of.ts';

/** Longer than all others take together: for hanging, not for slowness. */
const TURN_MS = 3_600_000;

const kind = turnOf(expect.getState().testPath ?? '');
if (kind) {
  const done = Promise.withResolvers<void>();
  let turn: Promise<void> | undefined;
  beforeAll(async () => {
    const begun = Promise.withResolvers<void>();
    turn = withLock(join(statePaths().cache, `test/turn-${kind}.lock`), () => {
      begun.resolve();
      return done.promise;
    });
    await Promise.race([begun.promise, turn]);
  }, TURN_MS);
  afterAll(async () => {
    done.resolve();
    await turn;
  });
}
