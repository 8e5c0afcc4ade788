/**
 * Whole installs, in two lanes side by side: one waits for time-outs, the other for an emulated processor. Within a lane one test comes
 * after the other.
 */
import { describe } from 'vitest';
import { selfInstallTests } from '../machine/self-install.ts';
import { bootTests } from '../vm/boot.ts';
import { demoTests } from './demo.ts';
import { killTests } from './kill.ts';

describe('whole installs', { concurrent: true }, () => {
  describe('processes are killed', { concurrent: true }, killTests);
  describe('machines start', { concurrent: true }, () => {
    describe('all of them', { concurrent: false }, () => {
      selfInstallTests();
      demoTests();
      bootTests();
    });
  });
});
