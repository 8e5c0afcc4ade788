/** Faults of servers, one place alone and several together. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AllSourcesFailed, NotFound, Unavailable } from '../../image/source/errors.ts';
import { MirroredSource, type PatienceOptions } from '../../image/source/mirrored.ts';
import { type Asked, type Fault, startFaulty } from './servers/faulty.ts';
import { type SampleLayout, sampleLayout } from './servers/layout.ts';
import { startNginx } from './servers/nginx.ts';
import { closing, failureOf, openWeb } from './servers/sources.ts';

const LENGTH = 1 << 20;
const isBlob = ({ path }: Asked): boolean => path.startsWith('/blobs/');

let layout: SampleLayout;
let good: string;
beforeAll(async () => {
  layout = sampleLayout();
  ({ url: good } = await startNginx(layout.folder));
});

const faulty = (faultOf: (asked: Asked) => Fault | undefined) => startFaulty(layout.folder, faultOf);
/** Short limits: what hangs is found out soon. */
const open = (url: string, idleTimeoutMs = 300) => openWeb(url, { idleTimeoutMs, connectTimeoutMs: 1000 });
/** Long enough for a busy machine, where it is not silence that is to be found out. */
const PATIENT_MS = 10_000;
const patienceFor = (fault: Fault) => (JSON.stringify(fault).includes('silence') ? undefined : PATIENT_MS);
const mirrored = (urls: readonly string[], options: PatienceOptions = {}, idleTimeoutMs?: number) =>
  closing(
    new MirroredSource(
      urls.map((url) => open(url, idleTimeoutMs)),
      { backoffMs: 10, ...options },
    ),
  );
const wanted = (): Buffer => layout.pack.bytes.subarray(0, LENGTH);

/** Every way to be wrong, with the error that one try of one place makes of it. */
const FAULTS: [what: string, fault: Fault, error: string][] = [
  ['closes at 50 %', { stopAt: 0.5, and: 'close' }, 'Interrupted'],
  ['falls silent at 50 %', { stopAt: 0.5, and: 'silence' }, 'Unavailable'],
  ['never answers', 'silence', 'Unavailable'],
  ['is busy (503)', { status: 503 }, 'Unavailable'],
  ['has it not (404)', { status: 404 }, 'NotFound'],
  ['refuses (403)', { status: 403 }, 'AccessDenied'],
  ['announces too many bytes', { lengthOff: 100 }, 'WrongContent'],
  ['announces too few bytes', { lengthOff: -100 }, 'WrongContent'],
  ['sends another range', 'other-range', 'WrongContent'],
  ['sends the whole file', 'no-ranges', 'UnexpectedAnswer'],
  ['redirects in a circle', { status: 302, headers: 'Location: /blobs/again\r\n' }, 'UnexpectedAnswer'],
];

describe.each(FAULTS)('a server that %s', (_what, fault, name) => {
  it('gives an error that names server, blob and what was found', async () => {
    const { url } = await faulty((asked) => (isBlob(asked) ? fault : undefined));
    await using source = closing(open(url, patienceFor(fault)));
    const failure = await failureOf(source.range(layout.pack, 0, LENGTH));
    expect(failure.name).toBe(name);
    expect(failure).toMatchObject({
      source: `${url}/`,
      blob: layout.pack.digest,
      task: { offset: 0, length: LENGTH },
    });
    expect(failure.message).toContain(layout.pack.digest);
    if (name === 'WrongContent' || name === 'Interrupted') {
      expect(failure.expected).toBeDefined();
      expect(failure.found).toBeDefined();
    }
  });

  it('is left for another', async () => {
    const { url } = await faulty((asked) => (isBlob(asked) ? fault : undefined));
    await using source = mirrored([url, good]);
    expect((await source.range(layout.pack, 0, LENGTH)).equals(wanted())).toBe(true);
    expect((await source.blob(layout.pack)).equals(layout.pack.bytes)).toBe(true);
  });
});

describe('one place', () => {
  it('is asked again after faults that may pass', async () => {
    const { url, asked } = await faulty(({ index }) =>
      index === 0 ? { status: 503 } : index === 1 ? { stopAt: 0.5, and: 'close' } : undefined,
    );
    await using source = mirrored([url]);
    expect((await source.range(layout.pack, 0, LENGTH)).equals(wanted())).toBe(true);
    expect(asked.length).toBe(3);
  });

  it('is not asked again for what it does not have', async () => {
    const { url, asked } = await faulty(() => ({ status: 404 }));
    await using source = mirrored([url]);
    await expect(source.range(layout.pack, 0, LENGTH)).rejects.toThrow(NotFound);
    expect(asked.length).toBe(1);
  });

  it('is given up after some rounds', async () => {
    const { url, asked } = await faulty(() => ({ status: 503 }));
    await using source = mirrored([url], { rounds: 3 });
    await expect(source.range(layout.pack, 0, LENGTH)).rejects.toThrow(Unavailable);
    expect(asked.length).toBe(3);
  });

  it('is given up at the deadline, however often it lets hope', async () => {
    const { url } = await faulty(() => ({ status: 503, headers: 'Retry-After: 1000\r\n' }));
    await using source = mirrored([url], { deadlineMs: 700, rounds: 1000 });
    const error = await source.range(layout.pack, 0, LENGTH).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(AllSourcesFailed);
    expect(String(error)).toContain('not within the time limit');
  });

  it('gives a wrong answer once, and a right one when it is asked again', async () => {
    const { url } = await faulty(({ index }) => (index === 0 ? 'flipped' : undefined));
    await using source = mirrored([url], {}, PATIENT_MS);
    expect((await source.range(layout.pack, 0, LENGTH)).equals(wanted())).toBe(false);
    expect(source.reject(layout.pack, 0, LENGTH)).toBe(false);
    expect((await source.range(layout.pack, 0, LENGTH)).equals(wanted())).toBe(true);
  });

  it('is not asked by somebody who has already left', async () => {
    const { url, asked } = await faulty(() => 'silence');
    await using source = mirrored([url]);
    const reason = new Error('gone');
    await expect(source.range(layout.pack, 0, LENGTH, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(asked.length).toBe(0);
  });
});

describe('several places', () => {
  it('are asked in the order in which they are named', async () => {
    const [first, second] = [await faulty(() => undefined), await faulty(() => undefined)];
    await using source = mirrored([first.url, second.url]);
    await source.range(layout.pack, 0, LENGTH);
    await source.range(layout.pack, LENGTH, LENGTH);
    expect(first.asked.length).toBe(2);
    expect(second.asked.length).toBe(0);
  });

  it('are told apart by speed: a slow one is overtaken, and left from then on', async () => {
    const slow = await faulty(() => ({ delayMs: 3000 }));
    await using source = mirrored([slow.url, good], { patienceMs: 50 });
    expect((await source.range(layout.pack, 0, LENGTH)).equals(wanted())).toBe(true);
    for (let index = 1; index < 8; index++) await source.range(layout.pack, index * LENGTH, LENGTH);
    // After a while it gets another chance.
    expect(slow.asked.length).toBeLessThan(4);
  });

  it('fail together with what each of them said', async () => {
    const [busy, empty] = [await faulty(() => ({ status: 503 })), await faulty(() => ({ status: 404 }))];
    await using source = mirrored([busy.url, empty.url], { rounds: 2 });
    const error = await source.range(layout.pack, 0, LENGTH).catch((failure: unknown) => failure);
    if (!(error instanceof AllSourcesFailed)) throw error;
    expect(error.failures.map(({ name }) => name).toSorted()).toEqual(['NotFound', 'Unavailable']);
    expect(error.message).toContain(busy.url);
    expect(error.message).toContain(empty.url);
    // The one that has it not is asked once, the busy one in every round.
    expect([busy.asked.length, empty.asked.length]).toEqual([2, 1]);
  });

  it('that gave wrong bytes are not asked for this blob again', async () => {
    const wrong = await faulty(() => 'flipped');
    // On a busy machine it must not be given up before it has given them.
    await using source = mirrored([wrong.url, good], { patienceMs: PATIENT_MS }, PATIENT_MS);
    const right = layout.pack.bytes.subarray(0, 2 * LENGTH);
    expect((await source.range(layout.pack, 0, right.length)).equals(right)).toBe(false);
    // A chunk within what was read at once.
    expect(source.reject(layout.pack, 4096, 4096)).toBe(true);
    expect((await source.range(layout.pack, 0, LENGTH)).equals(wanted())).toBe(true);
    expect(wrong.asked.length).toBe(1);
  });

  it('count as unsigned only when all have answered', async () => {
    const tag = `${layout.digest.replace(':', '-')}.sig`;
    await using both = mirrored([good, (await faulty(() => undefined)).url]);
    expect(await both.attached(tag)).toBeUndefined();
    await using one = mirrored([good, (await faulty(() => ({ status: 503 }))).url], { rounds: 2 });
    await expect(one.attached(tag)).rejects.toThrow(AllSourcesFailed);
  });

  it('stop when they are no longer needed', async () => {
    const { url, asked } = await faulty(() => 'silence');
    await using source = mirrored([url, (await faulty(() => 'silence')).url], { deadlineMs: 60_000 });
    const stop = new AbortController();
    const reading = source.range(layout.pack, 0, LENGTH, { signal: stop.signal });
    const reason = new Error('the person has left');
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });
});
