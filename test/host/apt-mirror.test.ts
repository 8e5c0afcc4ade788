/** The mirror of the host's own apt, in both formats of its sources. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostAptMirror } from '../../host/apt-mirror.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-apt-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function sources(files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return await hostAptMirror(folder);
}

test('deb822, with other archives, comments, continued fields and a disabled stanza', async () => {
  const text = `Types: deb deb-src
# URIs: http://old.example/debian
URIs: http://near.example/debian/
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://near.example/security
Suites: trixie-security
Components: main
`;
  const other = 'Types: deb\nURIs: https://other.example\nSuites: nodistro\nComponents: main\n';
  expect(
    await sources({ 'sources.list.d/aaa.sources': other, 'sources.list.d/debian.sources': text }),
  ).toEqual({
    main: 'http://near.example/debian',
    security: 'http://near.example/security',
  });
});

test('one-line sources with options', async () => {
  const text = `# deb http://commented.example/debian trixie main
deb-src http://src.example/debian trixie main
deb [arch=amd64 signed-by=/x.gpg] http://line.example/debian trixie main contrib
deb http://line.example/debian-security/ trixie-security main
`;
  expect(await sources({ 'sources.list': text })).toEqual({
    main: 'http://line.example/debian',
    security: 'http://line.example/debian-security',
  });
});

test("a host without Debian's archive uses Debian's own", async () => {
  const { main, security } = await sources({
    'sources.list': 'deb http://archive.example/ubuntu noble main\n',
  });
  expect([new URL(main).hostname, new URL(security).hostname]).toEqual(['deb.example.org', 'deb.example.org']);
});
