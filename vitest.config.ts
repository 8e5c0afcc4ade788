import { defineConfig } from 'vitest/config';
import { Turns } from './test/support/turns.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Most tests wait more than they compute. Those that share disks and the engine take turns: see there.
    maxWorkers: 3,
    sequence: { sequencer: Turns },
    setupFiles: ['test/support/one-at-a-time.ts'],
    // Containers are started and images built in these: a limit for what hangs, not a measure.
    testTimeout: 120_000,
    hookTimeout: 900_000,
  },
});
