/** Servers that fail in the middle of a write: what is said of them, what is left, and that the write goes on from there. */
import { readFileSync, truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ChunksNotRead, CorruptChunk } from '../../../image/write/errors.ts';
import { CommandLine } from '../../client/command.ts';
import { makeCertificates } from '../servers/certificates.ts';
import { type Asked, type Fault, startFaulty } from '../servers/faulty.ts';
import { startNginx } from '../servers/nginx.ts';
import { attempt, expectGoesOn, expectHalfWritten, LONG, longSample, noise } from './attempt.ts';
import { sha256, sha256sum, toldBy } from './writing.ts';

/** How long silence takes to be found out: also a right answer may be late on a busy machine. */
const SILENCE_MS = 5000;
/** Until a mirror is asked too, which does no harm. */
const SHORT_MS = 1000;
const PATIENT_MS = 10_000;

const IMAGE = longSample();
const LAST = IMAGE.packs.at(-1);

const isPack = ({ path }: Asked): boolean => IMAGE.packs.some((pack) => pack.path.endsWith(path));
const isLastPack = ({ path }: Asked): boolean => LAST?.path.endsWith(path) === true;

const isSlow = (fault: Fault): boolean => /silence|delayMs/.test(JSON.stringify(fault));

const BYTES = /; expected \d+ bytes, found \d+ bytes/.source;

const FAULTS: readonly (readonly [string, Fault, RegExp])[] = [
  ['has a blob no more (404)', { status: 404 }, /: status 404/],
  ['is busy (503)', { status: 503 }, /: status 503/],
  ['refuses (403)', { status: 403 }, /: status 403/],
  [
    'never answers',
    'silence',
    /: nothing came within the time limit; expected [1-9]\d+ bytes, found 0 bytes/,
  ],
  [
    'falls silent at 50 %',
    { stopAt: 0.5, and: 'silence' },
    new RegExp(`: nothing came within the time limit${BYTES}`),
  ],
  ['closes at 50 %', { stopAt: 0.5, and: 'close' }, new RegExp(`: the answer ended early${BYTES}`)],
  ['announces too many bytes', { lengthOff: 100 }, new RegExp(`: the answer has another length${BYTES}`)],
  ['announces too few bytes', { lengthOff: -100 }, new RegExp(`: the answer has another length${BYTES}`)],
  [
    'sends another range',
    'other-range',
    /: the answer is another range; expected bytes \d+-\d+\/\d+, found bytes \d+-\d+\/\d+/,
  ],
  ['sends whole files only', 'no-ranges', /: the server sends whole files only/],
];

describe.each(FAULTS)('a server that %s in the middle', (_, fault, says) => {
  it('is told with chunk and blob; nothing boots; mended, the write goes on', async () => {
    let isBroken = true;
    const { url } = await startFaulty(IMAGE.folder, (asked) =>
      isBroken && isLastPack(asked) ? fault : undefined,
    );
    const target = noise(LONG.length);
    const before = readFileSync(target);
    const idleTimeoutMs = isSlow(fault) ? SILENCE_MS : PATIENT_MS;
    const { error, flushed } = await attempt({ references: [url], target, idleTimeoutMs });
    expect(error).toBeInstanceOf(ChunksNotRead);
    const said = toldBy(error);
    expect(said).toMatch(/^fetching chunk \d+ \(byte \d+ of the image\)( and \d+ more)?: reading bytes /);
    expect(said).toContain(` of ${LAST?.digest} from ${url}/`);
    expect(said).toMatch(says);
    await expectHalfWritten(target, before, LONG);
    isBroken = false;
    await expectGoesOn({ references: [url], target, flushed, idleTimeoutMs: PATIENT_MS }, LONG);
  });
});

describe('a server', () => {
  it('that sends wrong bytes is told with chunk, expected and found', async () => {
    let isBroken = true;
    const { url } = await startFaulty(IMAGE.folder, (asked) =>
      isBroken && isLastPack(asked) ? 'flipped' : undefined,
    );
    const target = noise(LONG.length);
    const before = readFileSync(target);
    const { error, flushed } = await attempt({ references: [url], target });
    expect(error).toBeInstanceOf(CorruptChunk);
    expect(toldBy(error)).toMatch(
      /^reading chunk \d+ \(byte \d+ of the image\) from http:.*: expected sha256:[0-9a-f]{64}, found /,
    );
    expect(toldBy(error)).toContain(`from ${url}/`);
    await expectHalfWritten(target, before, LONG);
    isBroken = false;
    await expectGoesOn({ references: [url], target, flushed }, LONG);
  });

  it('with a truncated blob is told with both sizes', async () => {
    const image = longSample();
    const pack = image.packs.at(-1);
    if (!pack) throw new Error('the image has no pack');
    const whole = longSample();
    truncateSync(pack.path, 100_000);
    const { url } = await startNginx(image.folder);
    const target = noise(LONG.length);
    const before = readFileSync(target);
    const { error, flushed } = await attempt({ references: [url], target });
    expect(error).toBeInstanceOf(ChunksNotRead);
    const said = toldBy(error);
    expect(said).toMatch(/^fetching chunk \d+ \(byte \d+ of the image\)/);
    expect(said).toContain(`of ${pack.digest} from ${url}/`);
    expect(said).toMatch(new RegExp(`expected .*${pack.sizeBytes}.*, found .*100000`));
    await expectHalfWritten(target, before, LONG);
    const { url: mended } = await startNginx(whole.folder);
    await expectGoesOn({ references: [mended], target, flushed }, LONG);
  });

  it('that goes away in the middle is told; when it is back, the write goes on', async () => {
    const server = await startNginx(IMAGE.folder, { location: 'limit_rate 4m;' });
    const target = noise(LONG.length);
    const before = readFileSync(target);
    let stopped: Promise<void> | undefined;
    const onProgress = (): void => {
      stopped ??= server.stop();
    };
    const { error, flushed } = await attempt({ references: [server.url], target, onProgress });
    await stopped;
    expect(error).toBeInstanceOf(ChunksNotRead);
    expect(toldBy(error)).toMatch(
      /^fetching chunk \d+ .*from http:.*(nothing listens there|ended early|connection was lost)/,
    );
    await expectHalfWritten(target, before, LONG);
    const back = await startNginx(IMAGE.folder);
    await expectGoesOn({ references: [back.url], target, flushed }, LONG);
  });

  it('that nobody vouches for gets nothing written; vouched for, the image is', async () => {
    const tls = await makeCertificates();
    const { url } = await startNginx(IMAGE.folder, { tls });
    const target = noise(LONG.length);
    const before = readFileSync(target);
    const { error } = await attempt({ references: [url], target });
    expect(error).toMatchObject({ name: 'TlsFailure', source: `${url}/` });
    expect(toldBy(error)).toMatch(/^reading index\.json from https:.*: no secure connection: .*\([A-Z_]+\)/);
    expect(readFileSync(target).equals(before)).toBe(true);
    expect((await attempt({ references: [url], target, caFile: tls.ca })).error).toBeUndefined();
    expect(await sha256sum(target)).toBe(sha256(LONG));
  });
});

describe('a mirror that is down', () => {
  it('does not hide that the other one sends wrong bytes', async () => {
    const wrong = await startFaulty(IMAGE.folder, (asked) => (isLastPack(asked) ? 'flipped' : undefined));
    const down = await startNginx(IMAGE.folder);
    await down.stop();
    const target = noise(LONG.length);
    const { error } = await attempt({ references: [wrong.url, down.url], target });
    expect(error).toBeInstanceOf(CorruptChunk);
    expect(error).toMatchObject({ chunk: expect.any(Number), found: expect.any(String) });
    const said = toldBy(error);
    expect(said).toMatch(/^reading chunk \d+ \(byte \d+ of the image\) from http/);
    expect(said).toContain(`${wrong.url}/`);
    expect(said).toMatch(/\nanother place was asked for it, and did not give it\nfetching chunk \d+/);
    expect(said).toContain(`from ${down.url}/: nothing listens there`);
  });

  it('is told once by the command, with all others', async () => {
    const places = await Promise.all(
      ['404', '503'].map((status) =>
        startNginx(IMAGE.folder, { location: `if ($uri ~ ${LAST?.digest.slice(7)}) { return ${status}; }` }),
      ),
    );
    const [first, second] = places.map(({ url }) => url);
    const args = [first, noise(LONG.length), '--mirror', second, '--unsigned', '--yes'].map(String);
    const { status, stderr } = await new CommandLine().run(['image', 'write', ...args]);
    expect(status).toBe(1);
    for (const [url, said] of [
      [first, 'status 404'],
      [second, 'status 503'],
    ]) {
      expect(stderr.split(`from ${url}/: `)).toHaveLength(2);
      expect(stderr.split(String(said))).toHaveLength(2);
    }
    expect(stderr).toMatch(/fetching chunk \d+ \(byte \d+ of the image\)/);
  });
});

describe('a mirror is left in the middle of a write', () => {
  const turns: readonly (readonly [string, Fault])[] = [
    ['has a blob no more', { status: 404 }],
    ['is busy', { status: 503 }],
    ['closes every answer at 50 %', { stopAt: 0.5, and: 'close' }],
    ['falls silent at 50 %', { stopAt: 0.5, and: 'silence' }],
    ['never answers', 'silence'],
    ['becomes slow', { delayMs: 5000 }],
    ['sends wrong bytes', 'flipped'],
  ];

  it.each(turns)('when it %s', async (_, fault) => {
    let served = 0;
    const first = await startFaulty(IMAGE.folder, (asked) =>
      isPack(asked) && ++served > 2 ? fault : undefined,
    );
    const second = await startFaulty(IMAGE.folder, () => undefined);
    const target = noise(LONG.length);
    const { error } = await attempt({
      references: [first.url, second.url],
      target,
      patienceMs: isSlow(fault) ? SHORT_MS : PATIENT_MS,
      // Patience with one place ends before a connection is given up.
      idleTimeoutMs: 2 * PATIENT_MS,
    });
    expect(error).toBeUndefined();
    expect(await sha256sum(target)).toBe(sha256(LONG));
    expect(served).toBeGreaterThan(2);
    expect(second.asked.some((path) => isPack({ path, index: 0 }))).toBe(true);
  });

  it('when it dies', async () => {
    const dying = await startNginx(IMAGE.folder, { location: 'limit_rate 4m;' });
    const other = await startFaulty(IMAGE.folder, () => undefined);
    const target = noise(LONG.length);
    let stopped: Promise<void> | undefined;
    const onProgress = (): void => {
      stopped ??= dying.stop();
    };
    const references = [dying.url, other.url];
    const { error } = await attempt({ references, target, onProgress });
    await stopped;
    expect(error).toBeUndefined();
    expect(await sha256sum(target)).toBe(sha256(LONG));
    expect(other.asked.some((path) => isPack({ path, index: 0 }))).toBe(true);
  });
});
