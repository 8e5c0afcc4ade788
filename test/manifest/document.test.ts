import { describe, expect, test } from 'vitest';
import { readDocument } from '../../manifest/document.ts';
import { nodeAt, toValue } from '../../manifest/located.ts';

const HEAVY = 200_000;

describe('refuses', () => {
  test.each([
    ['nothing', '', 'the document is empty'],
    ['only comments', '# nothing\n', 'the document is empty'],
    ['aliases', 'a: &x [1]\nb: *x\n', 'anchors and aliases are not supported'],
    [
      'an alias bomb',
      `a: &a [x]\n${'b: &b [*a,*a,*a,*a]\n'.repeat(9)}`,
      'anchors and aliases are not supported',
    ],
    ['custom tags', 'a: !ruby/object:Gem {}\n', 'tags are not supported'],
    ['binary tags', 'a: !!binary aGk=\n', 'tags are not supported'],
    ['a second document', 'a: 1\n---\nb: 2\n', 'more than one document'],
    ['duplicate keys', 'a: 1\nb: 2\na: 3\n', 'the key is there twice, first in line 1'],
    ['keys that are no text', '1: x\n', 'a key must be a text'],
    ['maps as keys', '? {a: 1}\n: x\n', 'a key must be a text'],
    ['the key that changes prototypes', '__proto__: {a: 1}\n', 'this key is not allowed'],
    ['null bytes', 'a: 1\nb: "x\0"\n', 'the control character U+0000 is not text'],
    ['escape sequences', 'a: \u001b[31m\n', 'the control character U+001b is not text'],
    ['broken YAML', 'a: [1\n', 'not valid YAML'],
    ['broken JSON', '{"a": 1,, }', 'not valid YAML'],
  ])('%s', (_, text, message) => {
    const { root, diagnostics } = readDocument(text, 'x.yaml');
    expect(root).toBeUndefined();
    expect(diagnostics.map((it) => it.message).join('\n')).toContain(message);
    for (const { file, line, column } of diagnostics) {
      expect(file).toBe('x.yaml');
      expect(line).toBeGreaterThanOrEqual(1);
      expect(column).toBeGreaterThanOrEqual(1);
    }
  });

  test('a profile of 10 MB, at once and in one line', () => {
    const { root, diagnostics } = readDocument(`a: ${'x'.repeat(10_000_000)}`, 'big.yaml');
    expect(root).toBeUndefined();
    expect(diagnostics).toEqual([expect.objectContaining({ file: 'big.yaml', line: 1, column: 1 })]);
    expect(diagnostics[0]?.message).toBe('the document has 10000003 bytes, more than 1048576 (1 MiB)');
  });

  // What makes YAML parsers slow or overflow the stack: each of these must come back, well within the test's time limit.
  test.each([
    ['brackets', '['.repeat(HEAVY)],
    ['braces', '{'.repeat(HEAVY)],
    ['dashes', '- '.repeat(HEAVY)],
    ['question marks', '? '.repeat(HEAVY)],
    ['nested keys', 'a: '.repeat(HEAVY)],
    ['anchors', '&a '.repeat(HEAVY)],
    ['tags', '!a '.repeat(HEAVY)],
    ['aliases', `[${'*a,'.repeat(HEAVY)}]`],
    ['documents', '---\n'.repeat(HEAVY)],
    ['directives', '%a\n'.repeat(HEAVY)],
    ['deep indentation', Array.from({ length: 1200 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')],
  ])('%s without number', (_, text) => {
    const { root, diagnostics } = readDocument(text, 'x.yaml');
    expect(root).toBeUndefined();
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(diagnostics.length).toBeLessThanOrEqual(100);
  });
});

test('reads a map of very many keys', () => {
  const text = Array.from({ length: 80_000 }, (_, index) => `k${index}: 1\n`).join('');
  const { root } = readDocument(text, 'x.yaml');
  expect(root?.kind === 'map' && root.entries.size).toBe(80_000);
});

describe('reads', () => {
  test('YAML 1.2: yes and no are texts', () => {
    const { root } = readDocument('a: no\nb: 0o17\nc: ~\nd: 1.5\ne: 012\n', 'x.yaml');
    expect(root && toValue(root)).toEqual({ a: 'no', b: 15, c: null, d: 1.5, e: 12 });
  });

  test('JSON, indented by tabs, with surrogate escapes', () => {
    const { root } = readDocument('{\n\t"a": ["\\ud83e\\udd8e",\n\t\ttrue]\n}', 'x.json');
    expect(root && toValue(root)).toEqual({ a: ['🦎', true] });
  });

  test('a byte order mark and Windows line ends', () => {
    const { root } = readDocument('\uFEFFa: 1\r\nb: 2\r\n', 'x.yaml');
    expect(root && toValue(root)).toEqual({ a: 1, b: 2 });
  });

  test('the place of every value and key', () => {
    const { root } = readDocument('a:\n  - b: 1\n    c: [x,  y]\n', 'x.yaml');
    expect(root && nodeAt(root, ['a', 0, 'c', 1])?.at).toEqual({ file: 'x.yaml', line: 3, column: 13 });
  });
});

test('says the line of a control character', () => {
  const { diagnostics } = readDocument('a: 1\nb: 2\nc: x\0\n', 'x.yaml');
  expect(diagnostics).toEqual([expect.objectContaining({ line: 3, column: 5 })]);
});
