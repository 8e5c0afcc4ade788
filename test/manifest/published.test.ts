import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DEFAULTS } from '../../manifest/defaults.ts';
import { formatDiagnostics } from '../../manifest/diagnostics.ts';
import { type JsonSchema, jsonSchema } from '../../manifest/json-schema.ts';
import { checkLayers } from '../../manifest/plan.ts';
import { generatedFiles } from '../../manifest/publish.ts';
import { planned } from './samples.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'docs/examples');
const examples = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.yaml'));

test.each([...generatedFiles()])('%s is up to date; else: node manifest/publish.ts', async (path, text) => {
  expect(await readFile(join(ROOT, path), 'utf8')).toBe(text);
});

describe.each(examples)('docs/examples/%s', (name) => {
  test('is right, and says where its schema is', async () => {
    const text = await readFile(join(EXAMPLES, name), 'utf8');
    expect(formatDiagnostics(checkLayers([{ name, text }]))).toBe('');
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? '';
    const found = JSON.parse(await readFile(join(EXAMPLES, schema), 'utf8')) as { title: string };
    expect(found.title).toBe('Iguana profile');
  });
});

test('every field has a description', () => {
  const missing: string[] = [];
  const walk = (schema: JsonSchema, path: string): void => {
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      if (!child.description) missing.push(`${path}.${name}`);
      walk(child, `${path}.${name}`);
    }
    if (schema.items) walk(schema.items, `${path}[]`);
    for (const branch of schema.anyOf ?? []) walk(branch, path);
  };
  walk(jsonSchema('profile'), 'profile');
  walk(jsonSchema('manifest'), 'manifest');
  expect(missing).toEqual([]);
});

/** Judged by Ajv, which fastify brings, as an editor would: not by zod. */
describe('the published schemas', () => {
  let server: FastifyInstance;

  beforeAll(async () => {
    server = fastify({
      ajv: {
        customOptions: {
          coerceTypes: false,
          removeAdditional: false,
          useDefaults: false,
          strict: false,
          allErrors: false,
        },
      },
    });
    for (const document of ['profile', 'manifest'] as const) {
      // Ajv's default build knows draft-07 by name only; the keywords that are used are the same.
      const { $schema: _draft, ...body } = jsonSchema(document) as Record<string, unknown>;
      server.post(`/${document}`, { schema: { body } }, () => 'valid');
    }
    await server.ready();
  });
  afterAll(async () => {
    await server.close();
  });

  const judge = async (document: string, value: unknown): Promise<string> => {
    const { body } = await server.inject({ method: 'POST', url: `/${document}`, payload: value as object });
    return body;
  };
  const profile = (body: string): unknown => parse(`apiVersion: iguana/v1\nkind: Profile\n${body}`);

  test.each(examples)('accept %s', async (name) => {
    expect(await judge('profile', parse(await readFile(join(EXAMPLES, name), 'utf8')))).toBe('valid');
  });
  test('accept the defaults', async () => {
    expect(await judge('profile', parse(DEFAULTS.text))).toBe('valid');
  });
  test('accept a manifest', async () => {
    const { manifest } = planned(['machine: {network: [{name: eno1, dhcp: "yes"}], users: [{name: root}]}']);
    expect(await judge('manifest', manifest)).toBe('valid');
    expect(await judge('manifest', { ...manifest, imageDigest: 'sha256:0' })).toContain('imageDigest');
  });
  test.each([
    ['entries that hold their key only', 'storage: {partitions: [{label: root}]}'],
    [
      'removals',
      'image: {packages: [-nano], kernel: {cmdline: [-quiet]}, files: [{path: /a, remove: true}]}',
    ],
  ])('accept %s', async (_, body) => {
    expect(await judge('profile', profile(body))).toBe('valid');
  });
  test.each([
    ['unknown keys', 'image: {pakages: []}'],
    ['wrong values', 'storage: {existingData: keep}'],
    ['wrong types', 'machine: {hostname: 5}'],
    ['entries without key', 'storage: {partitions: [{size: 1G}]}'],
    ['relative paths', 'image: {files: [{path: a/b}]}'],
    ['passwords', 'machine: {users: [{name: a, passwordHash: hunter2}]}'],
  ])('refuse %s', async (_, body) => {
    expect(await judge('profile', profile(body))).toContain('FST_ERR_VALIDATION');
  });
});
