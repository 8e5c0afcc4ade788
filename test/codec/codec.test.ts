/** The payload codec and its keys, by themselves. */
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { jsonOf, KeysFolder, payloadOf } from '../support/keys-folder.ts';

/** The one payload that comes out for one that goes in. */
async function one(way: Promise<Payload[]>): Promise<Payload> {
  const payloads = await way;
  expect(payloads).toHaveLength(1);
  return payloads[0] as Payload;
}

it('gives back what went in, whatever it is, and shows nothing of it', async () => {
  using folder = new KeysFolder();
  const bytes = fc.uint8Array({ maxLength: 2_000 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(bytes, fc.dictionary(fc.string(), bytes)), { maxLength: 4 }),
      async (all) => {
        const payloads = all.map(([data, metadata]) => ({
          data,
          metadata: { ...metadata, mark: randomBytes(16) },
        }));
        const sealed = await folder.codec.encode(payloads);
        for (const [index, { data, metadata }] of sealed.entries()) {
          expect(Object.keys(metadata ?? {})).toEqual(['encoding', 'iguana-key']);
          expect(Buffer.from(data ?? []).includes(payloads[index]?.metadata.mark as Buffer)).toBe(false);
        }
        const back = await folder.codec.decode(sealed);
        expect(back.map(({ data }) => Buffer.from(data ?? []))).toEqual(
          payloads.map(({ data }) => Buffer.from(data)),
        );
        for (const [index, payload] of back.entries()) {
          for (const [name, value] of Object.entries(payloads[index]?.metadata ?? {}))
            expect(Buffer.from(payload.metadata?.[name] ?? [])).toEqual(Buffer.from(value));
        }
      },
    ),
    { numRuns: 50 },
  );
});

it('packs what can be packed, and never the same way twice', async () => {
  using folder = new KeysFolder();
  const payload = payloadOf('again and again '.repeat(10_000));
  const [first, second] = await folder.codec.encode([payload, payload]);
  expect(first?.data?.length).toBeLessThan(1_000);
  expect(first?.data).not.toEqual(second?.data);
  const noise = { data: randomBytes(100_000) };
  expect((await one(folder.codec.encode([noise]))).data?.length).toBeLessThan(100_100);
});

it('passes what was never encrypted: histories of before', async () => {
  using folder = new KeysFolder();
  const old = [payloadOf({ before: true }), {}, { metadata: { encoding: Buffer.from('binary/null') } }];
  expect(await folder.codec.decode(old)).toEqual(old);
});

it('encrypts what says that it is encrypted already: who makes it does not decide', async () => {
  using folder = new KeysFolder();
  const sealed = await one(folder.codec.encode([payloadOf('inner')]));
  const twice = await one(folder.codec.encode([sealed]));
  const back = await one(folder.codec.decode([twice]));
  expect(Buffer.from(back.metadata?.encoding ?? []).toString()).toBe('iguana/zstd-aes-256-gcm');
  expect(Buffer.from(back.data ?? [])).toEqual(Buffer.from(sealed.data ?? []));
});

describe('refuses', () => {
  it('a payload that was changed anywhere', async () => {
    using folder = new KeysFolder();
    const sealed = await one(folder.codec.encode([payloadOf('short')]));
    const data = Buffer.from(sealed.data ?? []);
    const changed = (at: number): Payload => {
      const other = Buffer.from(data);
      other[at] = (other[at] ?? 0) ^ 1;
      return { ...sealed, data: other };
    };
    const tampered = [
      ...data.keys().map(changed),
      { ...sealed, data: data.subarray(0, -1) },
      { ...sealed, data: data.subarray(0, 20) },
      { ...sealed, data: Buffer.alloc(0) },
      { ...sealed, metadata: { ...sealed.metadata, more: Buffer.from('x') } },
    ];
    for (const payload of tampered)
      await expect(folder.codec.decode([payload])).rejects.toThrow(/it was changed since it was made/);
    expect(jsonOf(await one(folder.codec.decode([sealed])))).toBe('short');
  });

  it('another key under the same name', async () => {
    using folder = new KeysFolder();
    using other = new KeysFolder();
    const [{ id } = { id: '' }] = [await folder.keys.current()];
    mkdirSync(dirname(other.keys.file));
    const key = { id, key: randomBytes(32).toString('base64'), usedFrom: new Date().toISOString() };
    writeFileSync(other.keys.file, JSON.stringify({ keys: [key] }), { mode: 0o600 });
    await expect(other.codec.decode(await folder.codec.encode([payloadOf(1)]))).rejects.toThrow(
      `key ${id} in ${other.keys.file} is not the one that it was made with`,
    );
  });

  it('a key that is not here, and says where to get it', async () => {
    using folder = new KeysFolder();
    using other = new KeysFolder();
    const { id } = await folder.keys.current();
    const sealed = await folder.codec.encode([payloadOf(1)]);
    await other.keys.current();
    await expect(other.codec.decode(sealed)).rejects.toThrow(
      `its key "${id}" is not in ${other.keys.file}; copy that file from the host where`,
    );
    copyFileSync(folder.keys.file, other.keys.file);
    expect(jsonOf(await one(other.codec.decode(sealed)))).toBe(1);
  });

  it('keys that others can read, and a file that is none', async () => {
    using folder = new KeysFolder();
    await folder.keys.current();
    chmodSync(folder.keys.file, 0o640);
    await expect(folder.another().codec.encode([payloadOf(1)])).rejects.toThrow(
      /others than its owner may read it; `chmod 600`/,
    );
    for (const content of ['{"keys":[{"id":"x","key":"c2hvcnQ=","usedFrom":"2026-01-01"}]}', '[]']) {
      writeFileSync(folder.keys.file, content);
      chmodSync(folder.keys.file, 0o600);
      await expect(folder.another().codec.encode([payloadOf(1)])).rejects.toThrow(/it is no list of keys/);
    }
  });
});

describe('keys', () => {
  it('are made once, by whoever is first, for their owner only', async () => {
    using folder = new KeysFolder();
    const all = await Promise.all(Array.from({ length: 5 }, () => folder.another().keys.current()));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(statSync(folder.keys.file).mode & 0o777).toBe(0o600);
  });

  it('rotate: what is new uses the newest, what is old stays readable until its key is removed', async () => {
    using folder = new KeysFolder();
    const old = await folder.codec.encode([payloadOf('old')]);
    const { id: first } = await folder.keys.current();
    // Another process rotates; this one has the keys of before in its memory.
    const { id: second } = await folder.another().keys.add(new Date());
    await expect.poll(async () => (await folder.keys.current()).id, { timeout: 10_000 }).toBe(second);
    const young = await one(folder.codec.encode([payloadOf('new')]));
    expect(Buffer.from(young.metadata?.['iguana-key'] ?? []).toString()).toBe(second);
    expect(jsonOf(await one(folder.another().codec.decode(old)))).toBe('old');
    await expect(folder.keys.remove(second)).rejects.toThrow('new payloads use it');
    await expect(folder.keys.remove('none')).rejects.toThrow('there is no such key');
    await folder.keys.remove(first);
    await expect(folder.codec.decode(old)).rejects.toThrow(/Where the key was removed, nobody can read it/);
    expect(jsonOf(await one(folder.codec.decode([young])))).toBe('new');
  });

  it('are used from their time on, and read by everybody before', async () => {
    using folder = new KeysFolder();
    const { id: now } = await folder.keys.current();
    const { id: later } = await folder.keys.add(new Date(Date.now() + 3_600_000));
    expect((await folder.keys.list()).map(({ id, inUse }) => [id, inUse])).toEqual([
      [now, true],
      [later, false],
    ]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7_200_000 });
    // A host whose clock is ahead.
    const sealed = await folder.another().codec.encode([payloadOf('ahead')]);
    vi.useRealTimers();
    expect(Buffer.from(sealed[0]?.metadata?.['iguana-key'] ?? []).toString()).toBe(later);
    expect(jsonOf(await one(folder.codec.decode(sealed)))).toBe('ahead');
  });

  it('are read at once by a process that meets one that it does not know', async () => {
    using folder = new KeysFolder();
    await folder.keys.current();
    const other = folder.another();
    await other.keys.add(new Date());
    expect(jsonOf(await one(folder.codec.decode(await other.codec.encode([payloadOf('met')]))))).toBe('met');
  });
});
