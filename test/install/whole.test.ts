/**
 * Whole installs, in two lanes side by side: one waits for time-outs, the other for an emulated processor. Within a lane one test comes
 * after the other. Other machines that start are in the second lane, too.
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
  describe('processes are killed', { concurrent: true }, killTests);
  describe('machines start', { concurrent: true }, () => {
    describe('all of them', { concurrent: false }, () => {
      selfInstallTests();
      pulledAgentTests();
      containersTests();
      workflowFileTests();
      bootWaysTests();
      demoTests();
      bootTests();
    });
  });
});
