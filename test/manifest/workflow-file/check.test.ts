/** Workflow files of the original Iguana: what is accepted, and every mistake with its place and the nearest right word. */
import { describe, expect, test } from 'vitest';
import { formatDiagnostics } from '../../../manifest/diagnostics.ts';
import { checkWorkflowFile } from '../../../manifest/workflow-file/check.ts';
import { CONTROL, INSTALLER } from './published.ts';

const check = (text: string) => checkWorkflowFile(text, 'control.yaml');
const lines = (text: string): string => formatDiagnostics(check(text).diagnostics);
/** A file with one job. */
const job = (fields: string): string => `jobs: {a: {container: {image: r.example/a}, ${fields}}}`;
const container = (fields: string): string => `jobs: {a: {container: {image: r.example/a, ${fields}}}}`;
const image = (name: string): string => `jobs: {a: {container: {image: ${JSON.stringify(name)}}}}`;

describe('files as openSUSE has published them', () => {
  test('an installer with its backend: images without tag, volumes by name and of the machine', () => {
    expect(lines(INSTALLER)).toBe('');
    const [first] = check(INSTALLER).plan?.jobs ?? [];
    expect(first).toMatchObject({
      id: 'agama',
      needs: [],
      continuesOnError: false,
      hasSteps: false,
      container: {
        image: 'registry.example/yast/head/containers/containers_tumbleweed/opensuse/agama-service',
        volumes: [
          'dbus_run:/run/agama',
          '/var/run/dbus/system_bus_socket:/var/run/dbus/system_bus_socket',
          '/etc/NetworkManager:/etc/NetworkManager',
        ],
      },
      services: [{ id: 'backend', volumes: ['dbus_run:/run/agama'] }],
    });
  });

  test('a job that needs another, steps, and an environment at the end', () => {
    expect(lines(CONTROL)).toBe('');
    const plan = check(CONTROL).plan;
    expect(plan?.name).toBe('Test installation control YAML');
    expect(plan?.jobs.map(({ id, needs, hasSteps }) => ({ id, needs, hasSteps }))).toEqual([
      { id: 'dinstaller', needs: [], hasSteps: false },
      { id: 'busybox', needs: ['dinstaller'], hasSteps: true },
    ]);
    const [first] = plan?.jobs ?? [];
    expect([...(first?.container.env ?? [])]).toEqual([
      ['GLOBAL', 'test_global_env'],
      ['TEST', 'test_env'],
    ]);
    expect([...(first?.services[0]?.env ?? [])]).toEqual([
      ['GLOBAL', 'test_global_env'],
      ['SERVICE', 'test_service_env'],
    ]);
  });
});

describe('accepts', () => {
  test.each([
    ['nothing but an image', image('r.example/a')],
    ['a tag, a port, a digest', image(`r.example:5000/a/b:1.0-x@sha256:${'a'.repeat(64)}`)],
    ['a registry on this host', image('localhost/a')],
    ['the name of a transport', image('docker://r.example/a:1')],
    ['JSON', '{"jobs": {"a": {"container": {"image": "r.example/a"}}}}'],
    [
      'one name in needs',
      'jobs: {a: {container: {image: r.example/a}}, b: {container: {image: r.example/b}, needs: a}}',
    ],
    [
      'keys without values',
      'name:\nenv:\njobs:\n  a:\n    needs:\n    steps:\n    services:\n    container:\n      image: r.example/a\n      env:\n      volumes:\n',
    ],
    [
      'volumes of all forms',
      container('volumes: ["a:/b", "/c", "/d/e:/f", "/g:/h:ro,z", "/dev:/dev", "/iguana:/iguana/"]'),
    ],
    [
      'anchors and aliases',
      'jobs: {a: {container: &c {image: r.example/a, volumes: &v [a:/a]}}, b: {container: *c}, c: {container: {image: r.example/c, volumes: *v}}}',
    ],
    ['any steps', job('steps: [{run: x, with: {a: b}}, {uses: y}, 5]')],
    ['what is so anyway', container('env: {iguana: "true"}')],
    ['an empty value, spaces, signs', container('env: {A: "", B: "  x # y = z ", c.d-e: $HOME}')],
  ])('%s', (_, text) => {
    expect(lines(text)).toBe('');
    expect(check(text).plan).toBeDefined();
  });
});

describe('refuses, saying where, what was found and what is allowed', () => {
  test.each([
    ['nothing', '', 'control.yaml:1:1: (document): the document is empty'],
    ['no map', '- a', 'of the wrong type'],
    ['no jobs', 'name: x', 'jobs: is missing'],
    ['empty jobs', 'jobs: {}', 'jobs: there is no job'],
    ['a job without container', 'jobs: {a: {}}', 'jobs.a.container: is missing'],
    [
      'a slip in a key',
      'jobs: {a: {contaner: {image: r.example/a}}}',
      'unknown key; found "contaner"; allowed: container, services, needs, continue_on_error, steps; did you mean "container"?',
    ],
    [
      'a slip deep inside',
      container('volume: [a]'),
      'jobs.a.container.volume: unknown key',
      'did you mean "volumes"?',
    ],
    [
      'a slip in a service',
      job('services: {s: {image: r.example/s, enb: {}}}'),
      'jobs.a.services.s.enb: unknown key',
      'did you mean "env"?',
    ],
    ['the spelling of others', job('continue-on-error: true'), 'did you mean "continue_on_error"?'],
    [
      'an unknown key at the top',
      'on: push\njobs: {a: {container: {image: r.example/a}}}',
      'control.yaml:1:1: on: unknown key; found "on"; allowed: name, description, env, jobs',
    ],
    [
      'a text for true',
      job('continue_on_error: "yes"'),
      'jobs.a.continue_on_error: of the wrong type; found "yes"; allowed: true, false',
    ],
    [
      'a number in the environment',
      container('env: {PORT: 8080}'),
      'jobs.a.container.env.PORT: of the wrong type; found 8080; allowed: a text of one line; quote what looks like a number',
    ],
    [
      'a value of two lines',
      container('env: {A: "a\\nb"}'),
      'jobs.a.container.env.A: not of the allowed form',
    ],
    ['a value with a null character', container('env: {A: "a\\0b"}'), 'not of the allowed form'],
    [
      'a wrong name of a variable',
      container('env: {"A B": x}'),
      'jobs.a.container.env: not a name; found "A B"',
    ],
    ['a name that podman would look up', container('env: {"A*": x}'), 'not a name; found "A*"'],
    [
      'another value of iguana',
      container('env: {iguana: "false"}'),
      'jobs.a.container.env.iguana: it is always true',
    ],
    ['a secret that is no text', container('env: {PASSWORD: 12}'), 'found (hidden)'],
    [
      'a wrong name of a job',
      'jobs: {"a b": {container: {image: r.example/a}}}',
      'control.yaml:1:8: jobs: not a name; found "a b"; allowed: letters',
    ],
    [
      'a name that is an option',
      'jobs: {"--help": {container: {image: r.example/a}}}',
      'not a name; found "--help"',
    ],
    [
      'a path as a name',
      job('services: {"../x": {image: r.example/a}}'),
      'jobs.a.services: not a name; found "../x"',
    ],
    [
      'an unknown need',
      'jobs: {first: {container: {image: r.example/a}}, b: {needs: [frist], container: {image: r.example/b}}}',
      'jobs.b.needs[0]: there is no such job; found "frist"; did you mean "first"?',
    ],
    ['an unknown single need', job('needs: c'), 'jobs.a.needs: there is no such job; found "c"'],
    [
      'needs of another type',
      job('needs: {a: b}'),
      'jobs.a.needs: not one of the allowed forms; found a map; allowed: a text, or a list',
    ],
    [
      'a job that needs itself',
      job('needs: a'),
      'jobs.a.needs: jobs need each other in a circle: "a" needs "a"',
    ],
    [
      'a circle',
      'jobs: {a: {needs: c, container: {image: r.example/a}}, b: {needs: [a], container: {image: r.example/a}}, c: {needs: b, container: {image: r.example/a}}}',
      'in a circle: "a" needs "c" needs "b" needs "a"',
    ],
    [
      'an alias of nothing',
      'jobs: {a: *x, b: &x {container: {image: r.example/a}}}',
      'control.yaml:1:11: jobs.a: there is no such anchor before; found "x"',
    ],
    ['an alias of itself', 'jobs: &x {a: *x}', 'jobs.a: there is no such anchor before'],
    [
      'what an alias repeats',
      'jobs: {a: &x {container: {imge: r.example/a}}, b: *x}',
      'jobs.b.container.imge: unknown key',
    ],
    ['merged keys', 'x: &x {a: b}\njobs: {<<: *x}', 'not a name; found "<<"'],
    ['tags', 'jobs: !!js/function x', 'tags are not supported'],
    ['two documents', `${image('r.example/a')}\n---\n${image('r.example/b')}`, 'more than one document'],
    [
      'a key that is there twice',
      'jobs:\n  a: {container: {image: r.example/a}}\n  a: {container: {image: r.example/b}}',
      'control.yaml:3:3: jobs.a: the key is there twice, first in line 2',
    ],
    ['an escape sequence', 'name: "\x1b[2J"', 'the control character U+001b is not text'],
    [
      'too many jobs',
      `jobs: {${Array.from({ length: 101 }, (_, index) => `j${index}: {container: {image: r.example/a}}`).join(', ')}}`,
      'jobs: too many; found a map; allowed: at most 100',
    ],
    [
      'too many services',
      job(
        `services: {${Array.from({ length: 21 }, (_, index) => `s${index}: {image: r.example/a}`).join(', ')}}`,
      ),
      'jobs.a.services: too many',
    ],
  ])('%s', (_, text, ...parts) => {
    const said = lines(text);
    for (const part of parts) expect(said).toContain(part);
    expect(check(text).plan).toBeUndefined();
  });

  test.each([
    '',
    'busybox',
    'library/busybox',
    '--help',
    '-v',
    'r.example',
    'r.example/',
    'r.example/a b',
    'r.example/a;b',
    'r.example/$(b)',
    'r.example/A',
    'r.example//a',
    'r.example/a:',
    'r.example/a@sha256:12',
    'oci-archive:/a',
    'dir:/a',
    'https://r.example/a',
    'r.example/a\n--help',
    '../a/b',
    'r.example/../b',
  ])('the image %j', (name) => {
    expect(lines(image(name))).toContain('jobs.a.container.image: not of the allowed form');
    expect(lines(image(name))).toContain('allowed: HOST/REPOSITORY');
  });

  test.each([
    '',
    'a',
    'a/b:/c',
    'a:b',
    ':/a',
    '/a:',
    '/a:ro',
    'a:/b:xx',
    '/a:/b:ro:z',
    '-v:/a',
    '/a/../b',
    '/..',
    '/a/.:/b',
    'a:/b/..',
    '/a\n:/b',
  ])('the volume %j', (volume) => {
    const said = lines(container(`volumes: ["/x:/y", ${JSON.stringify(volume)}]`));
    expect(said).toContain('jobs.a.container.volumes[1]: not of the allowed form');
    expect(said).toContain('allowed: name:/path, /path or /host/path:/path');
  });

  test.each([
    ['/a:/dev', "/dev is the machine's in every container"],
    ['x:/iguana/', "/iguana is the machine's in every container"],
    ['/iguana', "/iguana is the machine's"],
    ['//y', 'volumes[0] is mounted there already'],
    ['/a:/', 'a volume cannot take the place of the whole container'],
  ])('the volume %s beside others', (volume, why) => {
    expect(lines(container(`volumes: ["/x:/y/", "${volume}"]`))).toContain(
      `jobs.a.container.volumes[1]: ${why}`,
    );
  });

  test('everything at once', () => {
    const said = lines(
      'jobs:\n  a:\n    container: {imge: x}\n    needs: [b]\n  c:\n    container: {image: -x, volumes: [q]}\nfoo: 1\n',
    ).split('\n');
    expect(said.map((line) => line.split(': ')[0])).toEqual([
      'control.yaml:3:16',
      'control.yaml:3:17',
      'control.yaml:4:13',
      'control.yaml:6:24',
      'control.yaml:6:38',
      'control.yaml:7:1',
    ]);
  });
});

describe('jobs run in the order of the file', () => {
  const order = (text: string) => check(text).plan?.jobs.map(({ id }) => id);
  const jobs = (needs: Record<string, string>) =>
    `jobs:\n${Object.entries(needs)
      .map(([id, of]) => `  "${id}": {container: {image: r.example/a}, needs: [${of}]}\n`)
      .join('')}`;

  test('also where their names look like numbers', () => {
    expect(
      order(
        'jobs: {"10": {container: {image: r.example/a}}, b: {container: {image: r.example/a}}, "2": {container: {image: r.example/a}}}',
      ),
    ).toEqual(['10', 'b', '2']);
  });

  test('except that what is needed comes before', () => {
    expect(order(jobs({ a: 'd', b: '', c: 'a, b', d: '' }))).toEqual(['d', 'a', 'b', 'c']);
  });
});
