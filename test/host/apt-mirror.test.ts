import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostAptMirror } from '../../host/apt-mirror.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'iguana-mirror-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function host(files: Record<string, string>, id = 'debian') {
  const all = { 'etc/os-release': `NAME="X"\nID=${id}\n`, ...files };
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return hostAptMirror(root);
}

const LIST = 'etc/apt/sources.list';
const SOURCES = 'etc/apt/sources.list.d/debian.sources';

describe('finds the mirror in', () => {
  const expected = { archive: 'http://m.example/debian', security: 'http://s.example/debian-security' };
  test('one-line sources', async () => {
    const text = [
      '# deb http://old.example/debian trixie main',
      'deb-src http://src.example/debian trixie main',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://m.example/debian/ trixie main contrib # ours',
      'deb http://s.example/debian-security trixie-security main',
    ];
    expect(await host({ [LIST]: text.join('\n') })).toEqual(expected);
  });

  test('deb822 sources, with continued lines, comments and a disabled stanza', async () => {
    const text = `Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main

# the archive
Types: deb deb-src
# snapshot: http://snapshot.example/
URIs: http://m.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://s.example/debian-security/
Suites: bookworm-security
Components: main
`;
    expect(await host({ [SOURCES]: text })).toEqual(expected);
  });

  test('sources among those of others', async () => {
    expect(
      await host({
        [LIST]: '',
        'etc/apt/sources.list.d/a.list': 'deb https://other.example/apt stable main\n',
        'etc/apt/sources.list.d/b.sources':
          'Types: deb\nURIs: https://third.example/repo\nSuites: nodistro\nComponents: main\n',
        'etc/apt/sources.list.d/c.save': 'deb http://saved.example/debian trixie main\n',
        'etc/apt/sources.list.d/z.list':
          'deb http://m.example/debian trixie main\ndeb http://s.example/debian-security trixie-security main\n',
      }),
    ).toEqual(expected);
  });
});

test('without security sources, those beside the archive', async () => {
  expect(await host({ [LIST]: 'deb https://m.example/debian sid main' })).toEqual({
    archive: 'https://m.example/debian',
    security: 'https://m.example/debian-security',
  });
});

test('an archive under another path, where it has updates too', async () => {
  const text = 'deb file:/srv/pool trixie main\ndeb file:/srv/pool trixie-updates main\n';
  expect(await host({ [LIST]: text })).toMatchObject({ archive: 'file:///srv/pool' });
});

describe('answers none', () => {
  test('for an archive of others with suites of the same name', async () => {
    expect(await host({ [LIST]: 'deb https://other.example/apt trixie main' })).toBeUndefined();
  });
  test('on another distribution', async () => {
    expect(await host({ [LIST]: 'deb http://m.example/debian trixie main' }, 'ubuntu')).toBeUndefined();
  });
  test('without any sources', async () => {
    expect(await host({})).toBeUndefined();
  });
  test('where the address holds a password, which would reach the manifest', async () => {
    expect(await host({ [LIST]: 'deb http://user:secret@m.example/debian trixie main' })).toBeUndefined();
  });
  test('for media', async () => {
    expect(await host({ [LIST]: 'deb cdrom:[Debian]/debian trixie main' })).toBeUndefined();
  });
});

test('says which file cannot be read', async () => {
  await mkdir(join(root, LIST), { recursive: true });
  await expect(host({})).rejects.toThrow(`reading ${join(root, LIST)}`);
});
