import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readLayers } from '../../client/install/layers.ts';
import { CommandLine } from './command.ts';
import { folderWith } from './folder.ts';

const iguana = new CommandLine();
const HEAD = 'apiVersion: iguana/v1\nkind: Profile\n';

describe('manifest validate', () => {
  it('accepts profiles without mistakes', async () => {
    const cwd = folderWith({ 'site.yaml': `${HEAD}image:\n  packages: [vim]\n` });
    await expect(iguana.run(['manifest', 'validate', 'site.yaml'], { cwd })).resolves.toMatchObject({
      status: 0,
      stdout: '1 profile without mistakes',
    });
  });

  it('tells all mistakes of all files at once, with their places, and ends with 2', async () => {
    const cwd = folderWith({
      'a.yaml': `${HEAD}image:\n  pakages: [vim]\n  release: 5\n`,
      'b.yaml': `${HEAD}storage:\n  existingData: destroy\n`,
    });
    const { status, stderr } = await iguana.run(['manifest', 'validate', 'a.yaml', 'b.yaml'], { cwd });
    expect(status).toBe(2);
    expect(stderr).toContain('3 mistakes');
    expect(stderr).toMatch(/a\.yaml:4:3: image.*pakages.*packages/);
    expect(stderr).toMatch(/a\.yaml:5:12: image\.release/);
    expect(stderr).toMatch(/b\.yaml:4:17: storage\.existingData.*destroy.*erase/);
  });

  it('gives them to programs as data', async () => {
    const cwd = folderWith({ 'a.yaml': `${HEAD}image:\n  release: 5\n` });
    const { stdout } = await iguana.run(['manifest', 'validate', 'a.yaml', '--output', 'json'], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      error: { exitCode: 2, details: { mistakes: [{ path: 'image.release', file: 'a.yaml', line: 4 }] } },
    });
  });

  it.each([
    ['a file that is not there', 'nowhere.yaml', 'no such file'],
    ['a folder', '.', 'illegal operation on a directory'],
  ])('refuses %s', async (_what, name, words) => {
    const { status, stderr } = await iguana.run(['manifest', 'validate', name], { cwd: folderWith({}) });
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });

  it.each([
    ['ten megabytes', `${HEAD}name: ${'x'.repeat(10_000_000)}\n`],
    ['a hundred megabytes', Buffer.alloc(100_000_000, 'x').toString()],
    ['bytes that are no text', '\u0000\u0001\u0002'],
    ['nothing', ''],
  ])('refuses %s in words', async (_what, text) => {
    const cwd = folderWith({ 'p.yaml': text });
    const { status, stderr } = await iguana.run(['manifest', 'validate', 'p.yaml'], { cwd });
    expect(status).toBe(2);
    expect(stderr).toContain('p.yaml');
    expect(stderr.length).toBeLessThan(4000);
  });
});

describe('layers', () => {
  it('are texts as they are written, with digests', async () => {
    const text = `# a comment\n${HEAD}`;
    const path = join(folderWith({ 'a.yaml': text }), 'a.yaml');
    const [layer] = await readLayers([path]);
    expect(layer).toMatchObject({ name: path, text });
    expect(layer?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('have the files that they name read in, beside the profile', async () => {
    const folder = folderWith({
      'a.yaml': `${HEAD}machine:\n  files:\n    - {path: /etc/motd, source: motd}\n    - {path: /a, source: ./noise}\n`,
      motd: 'hello: world\n',
      noise: Buffer.from([0, 255, 1]),
    });
    const [layer] = await readLayers([join(folder, 'a.yaml')]);
    expect(layer?.text).not.toContain('source');
    expect(parse(layer?.text ?? '')).toMatchObject({
      machine: { files: [{ content: 'hello: world\n' }, { content: 'AP8B', encoding: 'base64' }] },
    });
  });

  it('refuse a source that is not there, by name', async () => {
    const folder = folderWith({ 'a.yaml': `${HEAD}image:\n  scripts: [{name: x, source: gone.sh}]\n` });
    await expect(readLayers([join(folder, 'a.yaml')])).rejects.toThrow(/gone\.sh/);
  });
});

describe('manifest schema', () => {
  it.each(['profile', 'manifest', 'facts'])('prints that of the %s', async (document) => {
    const { status, stdout } = await iguana.run(['manifest', 'schema', document]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      $schema: expect.stringContaining('json-schema.org'),
      type: 'object',
    });
  });
});

describe('install', () => {
  it('finds mistakes before anything is touched', async () => {
    const cwd = folderWith({ 'a.yaml': `${HEAD}imag: {}\n` });
    const { status, stderr } = await iguana.run(['install', 'a.yaml', '--disk', 'd.img'], { cwd });
    expect(status).toBe(2);
    expect(stderr).toContain('imag');
    const { stdout } = await iguana.run(['server', 'status']);
    expect(stdout).toBe('no server runs');
  });

  it.each([
    ['a folder', ['--disk', '.'], 'neither a disk nor a disk image'],
    ['a character device', ['--disk', '/dev/null'], 'neither a disk nor a disk image'],
    ['a device that is not there', ['--disk', '/dev/nvme7n7'], 'there is no disk'],
    ['a folder that is not there', ['--disk', 'no/where.img'], 'no folder'],
    ['a size that is none', ['--disk', 'd.img', '--size', 'big'], 'is no size'],
    ['a size without room', ['--disk', 'd.img', '--size', '1M'], 'too small'],
    ['another size than the file has', ['--disk', 'a.yaml', '--size', '8G'], 'exists and has'],
    ['an id that is none', ['--disk', 'd.img', '--machine', '../x'], 'cannot be the id'],
  ])('refuses %s', async (_what, args, words) => {
    const cwd = folderWith({ 'a.yaml': HEAD });
    const { status, stderr } = await iguana.run(['install', 'a.yaml', ...args], { cwd });
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });
});

describe('manifest plan', () => {
  it('makes the manifest for a new disk image, and makes nothing else', async () => {
    const cwd = folderWith({ 'a.yaml': `${HEAD}machine:\n  hostname: web\n` });
    const { stdout, status } = await iguana.run(
      ['manifest', 'plan', 'a.yaml', '--size', '4G', '--output', 'json'],
      {
        cwd,
      },
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      manifest: {
        kind: 'Manifest',
        machine: { hostname: 'web' },
        storage: { disk: { sizeBytes: 4 * 2 ** 30 } },
      },
      destroyed: [],
    });
    expect(readdirSync(cwd)).toEqual(['a.yaml']);
  });

  it('tells what is in the way, with status 2', async () => {
    const cwd = folderWith({ 'a.yaml': HEAD });
    const bios = await iguana.run(['manifest', 'plan', 'a.yaml', '--firmware', 'bios'], { cwd });
    expect(bios.status).toBe(2);
    expect(bios.stderr).toMatch(/UEFI/i);
    const small = await iguana.run(['manifest', 'plan', 'a.yaml', '--size', '300M'], { cwd });
    expect(small.status).toBe(2);
  });

  it('refuses facts that are none', async () => {
    const cwd = folderWith({ 'a.yaml': HEAD, 'facts.json': '{"kind": "Facts", "disks": 3}' });
    const { status, stderr } = await iguana.run(['manifest', 'plan', 'a.yaml', '--facts', 'facts.json'], {
      cwd,
    });
    expect(status).toBe(2);
    expect(stderr).toContain('facts.json holds no facts');
    expect(stderr).toContain('disks');
  });
});
