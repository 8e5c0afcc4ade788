import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkProfile } from '../../manifest/check-profile.ts';
import { inlineSources } from '../../manifest/inline-sources.ts';
import { layer } from './samples.ts';

const FILES: Readonly<Record<string, Uint8Array>> = {
  'motd.txt': Buffer.from('Welcome: "you"\n\ton 🦎\u0085\u007f\n'),
  'setup.sh': Buffer.from('#!/bin/sh\necho hi\n'),
  'logo.bin': Uint8Array.from([0, 1, 255, 254]),
  'large.bin': new Uint8Array(2 ** 20 + 1),
  'half.bin': new Uint8Array(800_000).fill(255),
};

async function read(source: string): Promise<Uint8Array> {
  const bytes = FILES[source];
  if (!bytes) throw new Error(`ENOENT: no such file, open '${source}'`);
  return bytes;
}

const inline = (body: string) => inlineSources(layer(body).text, 'site.yaml', read);

/** The inlined document, which must be a right profile again. */
async function inlined(
  body: string,
): Promise<Record<'image' | 'machine', Record<string, unknown> | undefined>> {
  const { text = '', diagnostics } = await inline(body);
  expect(diagnostics).toEqual([]);
  expect(checkProfile(text, 'inlined').diagnostics).toEqual([]);
  return parse(text);
}

test('a profile without sources stays as it is, to the byte', async () => {
  const { text } = layer('# a comment\nimage: {packages: [ nano ]}\n');
  expect(await inlineSources(text, 'x', read)).toEqual({ text, diagnostics: [] });
});

describe('reads', () => {
  test('text, in block and in flow style and in JSON', async () => {
    const expected = [{ path: '/etc/motd', content: FILES['motd.txt']?.toString() }];
    for (const body of [
      'image:\n  files:\n    - path: /etc/motd\n      source: motd.txt\n',
      'image:\n  files:\n    - source: "motd.txt" # where it is\n      path: /etc/motd\n',
      'image: {files: [{source: motd.txt, path: /etc/motd}]}',
      'image: {"files": [{"path": "/etc/motd", "source": "motd.txt"}]}',
    ]) {
      expect((await inlined(body)).image?.files).toEqual(expected);
    }
  });

  test('scripts of both parts', async () => {
    const { image, machine } = await inlined(
      'image: {scripts: [{name: a, source: setup.sh}]}\nmachine:\n  firstBoot:\n    - name: b\n      source: setup.sh\n',
    );
    expect(image?.scripts).toEqual([{ name: 'a', content: '#!/bin/sh\necho hi\n' }]);
    expect(machine?.firstBoot).toEqual([{ name: 'b', content: '#!/bin/sh\necho hi\n' }]);
  });

  test('bytes that are no text, as base64', async () => {
    for (const body of [
      'machine:\n  files:\n    - path: /a\n      source: logo.bin\n      mode: "0600"\n',
      'machine: {files: [{path: /a, source: logo.bin, mode: "0600"}]}',
      'machine: {files: [{path: /a, encoding: text, source: logo.bin, mode: "0600"}]}',
    ]) {
      expect((await inlined(body)).machine?.files).toEqual([
        { path: '/a', content: 'AAH//g==', encoding: 'base64', mode: '0600' },
      ]);
    }
  });

  test('and leaves every line where it was', async () => {
    const body =
      'image:\n  files:\n    - path: /a\n      source: motd.txt\n    # comment\n    - path: relative\n';
    const { text } = await inline(body.replace('relative', '/b'));
    const { diagnostics } = checkProfile(text?.replace('/b', 'relative') ?? '', 'x');
    expect(diagnostics).toEqual(checkProfile(layer(body).text, 'x').diagnostics);
  });
});

describe('refuses', () => {
  test.each([
    [
      'files that are not there, all of them',
      'image: {files: [{path: /a, source: x}, {path: /b, source: y}]}',
      ['image.files[0].source', 'image.files[1].source'],
      'ENOENT',
    ],
    [
      'a script that is no text',
      'image: {scripts: [{name: a, source: logo.bin}]}',
      ['image.scripts[0].source'],
      'UTF-8',
    ],
    [
      'a file above 1 MiB',
      'image: {files: [{path: /a, source: large.bin}]}',
      ['image.files[0].source'],
      'more than 1 MiB',
    ],
    [
      'more than 1 MiB in the end',
      'image: {files: [{path: /a, source: half.bin}]}',
      ['(document)'],
      'more than 1048576 (1 MiB)',
    ],
    ['a wrong profile', 'imag: {}', ['imag'], 'unknown key'],
  ])('%s', async (_, body, paths, message) => {
    const { text, diagnostics } = await inline(body);
    expect(text).toBeUndefined();
    expect(diagnostics.map(({ path }) => path)).toEqual(paths);
    for (const diagnostic of diagnostics) expect(diagnostic.message).toContain(message);
  });
});
