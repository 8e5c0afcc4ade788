/** A host that prepares a disk for another machine stays up, whatever the manifest says of the handoff. */
import { expect, test } from 'vitest';
import { CASE_TIMEOUT_MS, failureOf, useAgent } from '../../harness/case.ts';

const agent = useAgent();

for (const action of ['reboot', 'poweroff'] as const) {
  for (const target of [
    { kind: 'file', path: '/srv/disk.img', sizeBytes: 1 },
    { kind: 'device', id: 'wwn:0x5000c500deadbeef' },
  ] as const) {
    test(`${action} with a ${target.kind}`, { timeout: CASE_TIMEOUT_MS }, async () => {
      const failure = await failureOf(agent().run('leave', { action, target }));
      expect(failure).toMatchObject({ type: 'HandoffImpossible', nonRetryable: true });
    });
  }
}
