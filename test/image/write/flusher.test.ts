/** What is flushed is known, and a flush that fails is told at once. */
import { expect, it } from 'vitest';
import { Flusher } from '../../../image/write/flusher.ts';

it('tells a failure before everything is written, and again at the end', async () => {
  const failure = new Error('flushing: EIO');
  const told = Promise.withResolvers<unknown>();
  let flushes = 0;
  const flusher = new Flusher([], {
    // A kernel reports such a failure once.
    flush: async () => {
      flushes += 1;
      if (flushes === 1) throw failure;
    },
    onFlushed: () => {
      throw new Error('nothing is flushed');
    },
    onFailure: told.resolve,
  });
  flusher.written([0, 4096]);
  expect(await told.promise).toBe(failure);
  await expect(flusher.end()).rejects.toBe(failure);
});
