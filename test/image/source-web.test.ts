/** Layout folders on a real nginx, and on a server that misbehaves. */
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AccessDenied, NotFound, TlsFailure, WrongContent } from '../../image/source/errors.ts';
import { type Certificates, makeCertificates } from './servers/certificates.ts';
import { type SampleLayout, sampleLayout } from './servers/layout.ts';
import { startNginx } from './servers/nginx.ts';
import { closing, failureOf, openWeb as open } from './servers/sources.ts';

describe('a layout folder on nginx', () => {
  let layout: SampleLayout;
  let server: { url: string; log: string };
  beforeAll(async () => {
    layout = sampleLayout();
    server = await startNginx(layout.folder);
  });

  it.each(['', '/', ':one'])('is read with a reference that ends in `%s`', async (ending) => {
    await using source = closing(open(`${server.url}${ending === '' ? '' : `/.${ending}`}`));
    const manifest = await source.manifest();
    expect(manifest.digest).toBe(layout.digest);
    expect(manifest.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
  });

  it('is read by digest, and not by another', async () => {
    await using right = closing(open(`${server.url}/@${layout.digest}`));
    expect((await right.manifest()).digest).toBe(layout.digest);
    await using wrong = closing(open(`${server.url}/.:two`));
    const failure = await failureOf(wrong.manifest());
    expect(failure).toBeInstanceOf(NotFound);
    expect(failure).toMatchObject({ expected: 'two', found: 'one' });
  });

  it('gives ranges', async () => {
    await using source = closing(open(server.url));
    const { bytes } = layout.pack;
    const ranges: [number, number][] = [
      [0, 1],
      [0, bytes.length],
      [5 << 20, 1 << 20],
      [bytes.length - 7, 7],
      [3, 0],
    ];
    for (const [offset, length] of ranges) {
      const found = await source.range(layout.pack, offset, length);
      expect(found.equals(bytes.subarray(offset, offset + length))).toBe(true);
    }
    await expect(source.range(layout.pack, bytes.length - 7, 8)).rejects.toThrow(RangeError);
  });

  it('keeps its connections', async () => {
    const { url, log } = await startNginx(layout.folder);
    await using source = closing(open(url, { connections: 2 }));
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => source.range(layout.pack, index * 1000, 1000)),
    );
    const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes('bytes='));
    expect(lines.length).toBe(40);
    expect(new Set(lines.map((line) => line.split(' ')[3])).size).toBeLessThanOrEqual(2);
  });

  it('gives whole blobs, verified', async () => {
    await using source = closing(open(server.url));
    expect((await source.blob(layout.pack)).equals(layout.pack.bytes)).toBe(true);
  });

  it('has no signature where there is none', async () => {
    await using source = closing(open(server.url));
    expect(await source.attached(`${layout.digest.replace(':', '-')}.sig`)).toBeUndefined();
  });
});

describe('a layout folder that is damaged', () => {
  async function damaged(damage: (layout: SampleLayout) => Promise<unknown>) {
    const layout = sampleLayout();
    await damage(layout);
    const { url } = await startNginx(layout.folder);
    return { layout, source: open(url), url };
  }

  it('says where a blob is truncated', async () => {
    const { layout, source, url } = await damaged(({ pack }) => truncate(pack.path, 1 << 20));
    await using _ = closing(source);
    const whole = await failureOf(source.blob(layout.pack));
    expect(whole).toBeInstanceOf(WrongContent);
    expect(whole).toMatchObject({
      source: `${url}/`,
      blob: layout.pack.digest,
      expected: `${layout.pack.sizeBytes} bytes`,
      found: `${1 << 20} bytes`,
    });
    for (const offset of [0, 1 << 19, 2 << 20]) {
      expect(await failureOf(source.range(layout.pack, offset, 1 << 20))).toBeInstanceOf(WrongContent);
    }
  });

  it('says which digest was expected and found where a bit is flipped', async () => {
    const { layout, source } = await damaged(({ pack }) => {
      const bytes = Buffer.from(pack.bytes);
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      return writeFile(pack.path, bytes);
    });
    await using _ = closing(source);
    const failure = await failureOf(source.blob(layout.pack));
    expect(failure).toBeInstanceOf(WrongContent);
    expect(failure.expected).toBe(layout.pack.digest);
    expect(failure.found).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('does not take another manifest for the one that was asked for', async () => {
    const { layout, source } = await damaged((one) =>
      writeFile(join(one.folder, 'blobs/sha256', one.digest.slice(7)), '{}'),
    );
    await using _ = closing(source);
    expect(await failureOf(source.manifest())).toMatchObject({ name: 'WrongContent', blob: layout.digest });
  });

  it.each([
    ['missing blob', 'NotFound', ({ pack }: SampleLayout) => rm(pack.path)],
    ['missing index', 'NotFound', ({ folder }: SampleLayout) => rm(join(folder, 'index.json'))],
    [
      'index that is none',
      'UnexpectedAnswer',
      ({ folder }: SampleLayout) => writeFile(join(folder, 'index.json'), '[]'),
    ],
    [
      'index that is too long',
      'UnexpectedAnswer',
      ({ folder }: SampleLayout) => writeFile(join(folder, 'index.json'), ' '.repeat(5 << 20)),
    ],
  ])('names a %s', async (_what, name, damage) => {
    const { layout, source, url } = await damaged(damage);
    await using _ = closing(source);
    const failure = await failureOf(source.manifest().then(() => source.range(layout.pack, 0, 10)));
    expect(failure.name).toBe(name);
    expect(failure.source).toBe(`${url}/`);
  });
});

describe('TLS', () => {
  let layout: SampleLayout;
  let url: string;
  let certificates: Certificates;
  beforeAll(async () => {
    layout = sampleLayout();
    certificates = await makeCertificates();
    ({ url } = await startNginx(layout.folder, { tls: certificates }));
  });

  it('is refused where nobody vouches for the server', async () => {
    await using source = closing(open(url));
    const failure = await failureOf(source.manifest());
    expect(failure).toBeInstanceOf(TlsFailure);
    expect(failure.retryable).toBe(false);
    expect(failure.message).toContain(url);
  });

  it('works with an authority of our own', async () => {
    await using source = closing(open(url, { caFile: certificates.ca }));
    expect((await source.manifest()).digest).toBe(layout.digest);
  });

  it('is refused for another host', async () => {
    const other = await makeCertificates('other.example');
    const server = await startNginx(layout.folder, { tls: other });
    await using source = closing(open(server.url, { caFile: other.ca }));
    expect(await failureOf(source.manifest())).toBeInstanceOf(TlsFailure);
  });

  it('is refused where the server speaks without', async () => {
    const plain = await startNginx(layout.folder);
    await using source = closing(open(plain.url.replace('http:', 'https:')));
    expect(await failureOf(source.manifest())).toBeInstanceOf(TlsFailure);
  });
});

describe('a server that asks who we are', () => {
  const secret = 'pass%20word';

  it('gets the credentials of the reference, and nobody else sees them', async () => {
    const layout = sampleLayout();
    // {PLAIN} is nginx's own form.
    const users = join(layout.folder, 'users');
    await writeFile(users, 'anna:{PLAIN}pass word\n');
    const { url } = await startNginx(layout.folder, {
      location: `auth_basic test; auth_basic_user_file ${users};`,
    });
    await using right = closing(open(url.replace('://', `://anna:${secret}@`)));
    expect((await right.manifest()).digest).toBe(layout.digest);
    expect(right.name).not.toContain('anna');
    await using wrong = closing(open(url.replace('://', '://anna:s3cret-and-wrong@')));
    const failure = await failureOf(wrong.manifest());
    expect(failure).toBeInstanceOf(AccessDenied);
    expect(failure.message).not.toContain('s3cret');
    await using none = closing(open(url));
    expect(await failureOf(none.range(layout.pack, 0, 1))).toBeInstanceOf(AccessDenied);
  });
});
