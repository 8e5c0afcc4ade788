/** Whatever stands in a workflow file, judging it ends, and what is accepted is safe for the shell that reads the plan. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatDiagnostics } from '../../../manifest/diagnostics.ts';
import { checkWorkflowFile } from '../../../manifest/workflow-file/check.ts';
import type { WorkflowPlan } from '../../../manifest/workflow-file/plan.ts';

const BAD_IDS = ['--help', '..', 'a b', '__proto__', 'constructor', 'toString', '*'];
const BAD_IMAGES = ['busybox', '--privileged', 'r.example/a\n', ''];
const BAD_VOLUMES = ['/x:/dev', '-v', '/a/../b', 'v:/a\n--help'];
const BAD_VARIABLES = ['iguana', 'A B', '1', 'A*', '', '__proto__'];
const BAD_VALUES = ['a\nb', 'a\0b', '\ud800'];

/** Mostly the first ones, so that some files are without mistakes. */
const mostly = (good: readonly unknown[], bad: readonly unknown[]) =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...good), weight: 40 },
    { arbitrary: fc.constantFrom(...bad), weight: 1 },
    { arbitrary: fc.jsonValue({ maxDepth: 1 }), weight: 1 },
  );
const keyed = (keys: fc.Arbitrary<unknown>, value: fc.Arbitrary<unknown>) =>
  fc.array(fc.tuple(keys.map(String), value), { maxLength: 3 }).map((entries) => Object.fromEntries(entries));
const id = mostly(['a', 'b', '1'], BAD_IDS);
const env = keyed(mostly(['A', 'PATH'], BAD_VARIABLES), mostly(['', 'x', '$(reboot)', '*'], BAD_VALUES));
const container = fc.record(
  {
    image: mostly(['r.example/a', 'r.example:5/a/b:1', 'docker://r.example/a'], BAD_IMAGES),
    env,
    volumes: fc.array(mostly(['v:/a', '/b', '/c:/d', '/dev:/dev', '/e:/f:ro'], BAD_VOLUMES), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ['image'] },
);
const job = fc.record(
  {
    container,
    services: keyed(id, container),
    needs: fc.array(mostly(['a'], BAD_IDS), { maxLength: 1 }),
    continue_on_error: mostly([true, false], ['yes']),
    steps: fc.array(fc.constant({ run: 'x' }), { maxLength: 1 }),
  },
  { requiredKeys: ['container'] },
);
const file = fc.record(
  { name: mostly(['x'], ['\u001b[2J']), description: mostly(['x'], [1]), env, jobs: keyed(id, job) },
  { requiredKeys: ['jobs'] },
);

/** What the plan's reader takes for granted. */
function expectSafe({ jobs }: WorkflowPlan): void {
  const before = new Set<string>();
  for (const { id, needs, container, services } of jobs) {
    expect(id).toMatch(/^\w[\w.-]*$/);
    for (const need of needs) expect(before.has(need)).toBe(true);
    before.add(id);
    for (const service of services) expect(service.id).toMatch(/^\w[\w.-]*$/);
    for (const { image, env, volumes } of [container, ...services]) {
      expect(image).toMatch(/^[A-Za-z0-9][A-Za-z0-9._/:@-]*$/);
      for (const volume of volumes) expect(volume).toMatch(/^[A-Za-z0-9/][^\n]*$/);
      for (const [name, value] of env) {
        expect(name).toMatch(/^[A-Za-z_][\w.-]*$/);
        expect(value).not.toMatch(/[\n\r\0]/);
      }
    }
  }
}

test('files in shape, with anything in their places', () => {
  let accepted = 0;
  fc.assert(
    fc.property(file, (value) => {
      const { plan, diagnostics } = checkWorkflowFile(stringify(value), 'control.yaml');
      expect(plan === undefined).toBe(diagnostics.length > 0);
      expect(formatDiagnostics(diagnostics)).not.toMatch(/(?!\n)\p{Cc}/u);
      if (plan) {
        accepted++;
        expectSafe(plan);
      }
    }),
    { numRuns: 500 },
  );
  expect(accepted).toBeGreaterThan(20);
});

test('any text', () => {
  const lines = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'jobs:',
        '  a:',
        '    container:',
        '      image: r.example/a',
        '- x',
        '? [a]',
        '&a',
        '*a',
        '<<: *a',
        '|',
        '>-',
        '%TAG ! x',
        '---',
        '{[',
        '!!binary x',
      ),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(lines, (parts) => {
      const { plan, diagnostics } = checkWorkflowFile(parts.join('\n'), 'control.yaml');
      expect(plan === undefined).toBe(diagnostics.length > 0);
    }),
    { numRuns: 500 },
  );
});

test.each([
  [
    'a laughter of aliases',
    `jobs:\n  a: &a0 [x, x]\n${Array.from({ length: 60 }, (_, index) => `  b${index}: &a${index + 1} [*a${index}, *a${index}]`).join('\n')}`,
  ],
  [
    'a long chain of aliases',
    `jobs:\n  a: &a0 [x]\n${Array.from({ length: 20_000 }, (_, index) => `  b${index}: &a${index + 1} [*a${index}]`).join('\n')}`,
  ],
  [
    'a hundred thousand aliases',
    `jobs:\n  a: &a {container: {image: r.example/a}}\n  b: [${'*a, '.repeat(100_000)}]`,
  ],
  ['deep nesting', '['.repeat(100_000)],
  ['deep maps', `${'{a: '.repeat(50_000)}`],
  [
    'twenty thousand keys',
    `jobs: {${Array.from({ length: 20_000 }, (_, index) => `a${index}: 1`).join(', ')}}`,
  ],
  [
    'a hundred thousand needs',
    `jobs: {a: {container: {image: r.example/a}, needs: [${'a, '.repeat(100_000)}]}}`,
  ],
  ['a long name of an image', `jobs: {a: {container: {image: "r.example${'/a'.repeat(400_000)}!"}}}`],
  ['a long volume', `jobs: {a: {container: {image: r.example/a, volumes: ["${'/.a'.repeat(300_000)}"]}}}`],
  ['too many bytes', 'x'.repeat(1024 * 1024 + 1)],
])('%s is refused, and soon', (_, text) => {
  expect(checkWorkflowFile(text, 'control.yaml').plan).toBeUndefined();
});
