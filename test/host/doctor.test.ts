/** The examination of this host, and of hosts that lack something. */
import { expect, test } from 'vitest';
import { examineHost } from '../../host/doctor.ts';
import { statePaths } from '../../host/state.ts';

test('a host that is set up lacks nothing', async () => {
  const checks = await examineHost(statePaths());
  expect(checks.filter(({ state }) => state === 'missing')).toEqual([]);
  expect(checks.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['Temporal', 'container engine', 'KVM', 'package mirror', 'state folder']),
  );
  for (const { state, remedy } of checks) expect(remedy === undefined).toBe(state === 'ok');
});

test('a folder that cannot be written is missing, with its name', async () => {
  const checks = await examineHost({ ...statePaths(), root: '/dev/null/iguana' });
  expect(checks.find(({ name }) => name === 'state folder')).toMatchObject({
    state: 'missing',
    remedy: expect.stringContaining('/dev/null/iguana'),
  });
});
