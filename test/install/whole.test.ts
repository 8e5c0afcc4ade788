/**
 * Whole installs, and other machines that start, in two lanes side by side: an emulated machine occupies one processor, installs that are
 * killed wait for time-outs. Within a lane one comes after the other.
 */
import { describe } from 'vitest';
import { bootWaysTests } from '../boot-ways/boot-ways.ts';
import { containersTests } from '../machine/containers.ts';
import { pulledAgentTests } from '../machine/pulled-agent.ts';
import { selfInstallTests } from '../machine/self-install.ts';
import { workflowFileTests } from '../machine/workflow-file.ts';
import { bootTests } from '../vm/boot.ts';
import { demoTests } from './demo.ts';
import { killTests } from './kill.ts';

describe('whole installs', { concurrent: true }, () => {
  describe('machines that are installed', { concurrent: true }, () => {
    describe('one after the other', { concurrent: false }, () => {
      selfInstallTests();
      pulledAgentTests();
      demoTests();
    });
  });
  describe('processes that are killed, machines that start', { concurrent: true }, () => {
    describe('one after the other', { concurrent: false }, () => {
      killTests();
      containersTests();
      workflowFileTests();
      bootWaysTests();
      bootTests();
    });
  });
});
