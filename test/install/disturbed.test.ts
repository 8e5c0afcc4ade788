/**
 * Installs that are disturbed: processes are killed, power is cut. Both mostly wait, for time-outs and for an emulated processor, so they
 * run side by side.
 */
import { describe } from 'vitest';
import { selfInstallTests } from '../machine/self-install.ts';
import { killTests } from './kill.ts';

describe('disturbed installs', { concurrent: true }, () => {
  // These two beside each other; within each of them one test after the other.
  describe('by the death of processes', { concurrent: true }, killTests);
  describe('by a power cut', { concurrent: true }, selfInstallTests);
});
