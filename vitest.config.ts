import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Loop devices, the engine and two cores are shared by everything: one file after the other.
    fileParallelism: false,
    // Containers are started and images built in these: a limit for what hangs, not a measure.
    testTimeout: 120_000,
    hookTimeout: 900_000,
  },
});
