/** `image.from`: an image that was built elsewhere, in a profile. */
import { describe, expect, test } from 'vitest';
import { planned, refused } from './samples.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const KEY = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n';

/** The layer, with other fields. */
const from = (changes: object = {}): string => {
  const fields = { reference: 'docker://registry.example/os/web', digest: DIGEST, keys: [KEY], ...changes };
  return `image: {from: ${JSON.stringify(fields)}}`;
};

test('leaves nothing of a build in the manifest, and needs no mirror', () => {
  const { manifest } = planned([from()], { mirror: undefined } as never);
  expect(manifest.image).toMatchObject({
    packages: [],
    repositories: [],
    files: [],
    services: [],
    scripts: [],
    from: { reference: 'docker://registry.example/os/web', digest: DIGEST, keys: [KEY], mirrors: [] },
    rootFilesystem: 'ext4',
  });
});

test('is another image with another digest, another key, or a signature that nobody asks for', () => {
  const variants = [
    from(),
    from({ digest: `sha256:${'b'.repeat(64)}` }),
    from({ keys: [`${KEY}\n`] }),
    from({ keys: [], insecureUnsigned: true }),
  ];
  const digests = variants.map((layer) => planned([layer]).manifest.imageDigest);
  expect(new Set(digests).size).toBe(variants.length);
});

test('is given by layers together, and users may have sudo of an image that nobody has looked into', () => {
  const own = `image: {from: {digest: "${DIGEST}"}}\nmachine: {users: [{name: ada, sudo: nopasswd}]}`;
  const { manifest } = planned([from({ digest: undefined }), own]);
  expect(manifest.image.from?.digest).toBe(DIGEST);
});

describe('is refused', () => {
  test.each([
    ['where nobody must have signed it', from({ keys: [] }), /image\.from: nobody is named whose signature/],
    [
      'with keys that do not count',
      from({ insecureUnsigned: true }),
      /insecureUnsigned: there are `keys` too/,
    ],
    ['without digest', from({ digest: undefined }), /image\.from\.digest: is missing/],
    ['with a tag for a digest', from({ digest: 'latest' }), /image\.from\.digest/],
    ['with a private key', from({ keys: ['-----BEGIN EC PRIVATE KEY-----'] }), /image\.from\.keys\[0\]/],
    ['with a reference that is none', from({ reference: 'web.img' }), /image\.from\.reference/],
    [
      'with a name that proves nothing',
      from({ keys: [], insecureUnsigned: true, signedIdentity: 'web' }),
      /signedIdentity: without a trusted key/,
    ],
  ])('%s', (_, layer, message) => {
    const { lines } = refused([layer]);
    expect(lines).toEqual([expect.stringMatching(message)]);
  });

  test('with a password, which is not shown', () => {
    const { diagnostics } = refused([from({ reference: 'https://anna:hunter2@a.example/web' })]);
    expect(diagnostics).toMatchObject([
      { path: 'image.from.reference', allowed: expect.stringContaining('without user') },
    ]);
    expect(JSON.stringify(diagnostics)).not.toContain('hunter2');
  });

  test('beside what would be built, with its place', () => {
    const { diagnostics } = refused([from(), 'image: {packages: [vim], services: [{name: ssh}]}']);
    const message = 'it has no effect: the image comes from elsewhere (`image.from`)';
    expect(diagnostics).toMatchObject([
      { file: 'layer2.yaml', line: 3, column: 20, message },
      { file: 'layer2.yaml', line: 3, path: 'image.services[0]', message },
    ]);
  });
});
