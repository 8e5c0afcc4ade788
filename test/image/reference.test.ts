/** References as people write them. */
import { describe, expect, it } from 'vitest';
import { BadReference, formatReference, parseReference } from '../../image/source/reference.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}` as const;

describe('a reference', () => {
  it.each([
    ['oci:web', { kind: 'layout', folder: 'web' }],
    ['oci:/srv/web:1.2', { kind: 'layout', folder: '/srv/web', tag: '1.2' }],
    [`oci:../web@${DIGEST}`, { kind: 'layout', folder: '../web', digest: DIGEST }],
    [
      'docker://r.example/os/web',
      { kind: 'registry', host: 'r.example', repository: 'os/web', tag: 'latest' },
    ],
    [
      'docker://r.example:5000/web:1',
      { kind: 'registry', host: 'r.example:5000', repository: 'web', tag: '1' },
    ],
    ['docker://localhost/web:1', { kind: 'registry', host: 'localhost', repository: 'web', tag: '1' }],
    ['docker://[::1]:5000/web:1', { kind: 'registry', host: '[::1]:5000', repository: 'web', tag: '1' }],
    [
      `docker://r.example/web@${DIGEST}`,
      { kind: 'registry', host: 'r.example', repository: 'web', digest: DIGEST },
    ],
    ['docker://debian', { kind: 'registry', host: 'docker.io', repository: 'library/debian', tag: 'latest' }],
    ['docker://debian:13', { kind: 'registry', host: 'docker.io', repository: 'library/debian', tag: '13' }],
    ['docker://some/thing', { kind: 'registry', host: 'docker.io', repository: 'some/thing', tag: 'latest' }],
    ['http://h:8080', { kind: 'web', url: 'http://h:8080/' }],
    ['https://h/a/web:1.2', { kind: 'web', url: 'https://h/a/web/', tag: '1.2' }],
    ['https://h/a/web/', { kind: 'web', url: 'https://h/a/web/' }],
    [
      'https://u:p%40ss@h/web',
      { kind: 'web', url: 'https://h/web/', credentials: { username: 'u', password: 'p@ss' } },
    ],
  ])('%s is understood', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it('is shown without credentials', () => {
    expect(formatReference(parseReference('https://u:s3cret@h/web:1'))).toBe('https://h/web/:1');
  });

  it.each([
    '',
    'web',
    'oci:',
    'oci:a:b:c',
    'oci:a:b/c',
    'oci:a@sha256:12',
    'docker://r.example/',
    'docker://r.example/Web',
    'docker://r.example/web:',
    'docker://r.example/web:a b',
    'docker://u:s3cret@r.example/web',
    'docker://r.example/a/../b',
    'http://',
    'http://u:s3cret@h/web?x',
    'http://u:s3cret/with@h@h/web@x',
    'ftp://h/web',
  ])('`%s` is refused, and no secret shown', (text) => {
    expect(() => parseReference(text)).toThrow(BadReference);
    expect(() => parseReference(text)).not.toThrow(/s3cret/);
  });
});
