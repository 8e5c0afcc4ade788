/** What stands on the console of a machine. */
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Narrator } from '../../worker/console/narrator.ts';
import { progressWords } from '../../worker/console/progress-words.ts';
import { wordsOf } from '../../worker/console/words.ts';

it('tells how far a step is, with rate and time left', () => {
  const progress = { step: 'write root', doneBytes: 250_000_000, totalBytes: 1_000_000_000 };
  expect(progressWords(progress, 2_500)).toBe('write root, 25 % of 1000 MB, 100 MB/s, 8 s left');
  expect(progressWords({ ...progress, doneBytes: 0 }, 2_500)).toBe('write root, 0 % of 1000 MB, 0.0 MB/s');
  expect(progressWords({ step: 'mount', message: 'ext4' }, 10)).toBe('mount, ext4');
  const message = '1500000 bytes fetched, 30000000 bytes reused';
  expect(progressWords({ step: 'write root', message }, 10)).toBe('write root, 1.5 MB fetched, 30 MB reused');
  expect(progressWords(undefined, 10)).toBeUndefined();
});

it('says what is for people, and with a failure its causes', () => {
  const line = (fields: object) => wordsOf(JSON.stringify({ level: 30, time: 1, pid: 2, ...fields }));
  expect(line({ msg: 'enrolled', machineId: 'm' })).toBe('enrolled');
  expect(line({ level: 40, msg: 'renewing failed', err: { message: 'no route: EHOSTUNREACH' } })).toBe(
    'warning: renewing failed: no route: EHOSTUNREACH',
  );
  const told = { message: 'a of b: c', cause: { message: 'c', cause: { message: 'ECONNREFUSED' } } };
  expect(line({ level: 50, err: told })).toBe('error: a of b: c: ECONNREFUSED');
  expect(line({ level: 30, sdkComponent: 'worker', msg: 'worker state changed' })).toBeUndefined();
  expect(line({ level: 50, sdkComponent: 'core', msg: 'gone' })).toBe('error: gone');
});

it('tells a step that failed, why, and what to do', async () => {
  const said: (string | undefined)[] = [];
  const options = { serializers: { err: pino.stdSerializers.errWithCause } };
  const narrator = new Narrator(pino(options, { write: (json) => said.push(wordsOf(json)) }));
  const failure = ApplicationFailure.create({
    message: 'partitioning /dev/sda failed',
    details: [{ remedy: 'Look at its cable.' }],
    cause: new Error('EIO'),
  });
  const environment = new MockActivityEnvironment({ activityType: 'partition', attempt: 2 });
  const step = environment.run(
    async () =>
      await narrator.execute({ args: [], headers: {} }, async () => {
        throw failure;
      }),
  );
  await expect(step).rejects.toBe(failure);
  expect(said).toEqual([
    'partitioning the disk, attempt 2',
    'warning: partitioning the disk failed: partitioning /dev/sda failed: EIO',
    'warning: what to do: Look at its cable.',
  ]);
});
