/** Lines that tell how far a step of an install is, where nobody sits at a terminal. */
import { expect, it } from 'vitest';
import { plainProgress } from '../../client/install/view.ts';

const MIB = 1 << 20;

const activity = (doneBytes: number) => ({
  activity: 'writeImage',
  attempt: 1,
  started: true,
  progress: {
    step: 'write root',
    doneBytes,
    totalBytes: 1000 * MIB,
    message: `${3 * MIB} bytes fetched, ${40 * MIB} bytes reused`,
    attempt: 1,
  },
});

it('tell bytes, and since the last line of the same step the rate and the time left', () => {
  const line = (doneBytes: number, before?: Parameters<typeof plainProgress>[1]) =>
    plainProgress(activity(doneBytes), before, 20_000);
  const what = 'write root – 3.0 MiB fetched, 40.0 MiB reused';
  expect(line(100 * MIB)).toBe(`100 MiB of 1000 MiB, ${what}`);
  const before = { step: 'write root', doneBytes: 100 * MIB, at: 10_000 };
  expect(line(300 * MIB, before)).toBe(`300 MiB of 1000 MiB, 20.0 MiB/s, 35 s left, ${what}`);
  expect(line(100 * MIB, before)).toBe(`100 MiB of 1000 MiB, ${what}`);
  expect(line(300 * MIB, { ...before, step: 'read back root' })).toBe(`300 MiB of 1000 MiB, ${what}`);
});
