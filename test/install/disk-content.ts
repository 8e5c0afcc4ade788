/** What is on an installed disk, told by independent tools: sfdisk, mounting, mtools. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk as comparable text: a line for each partition and each file. */
export interface DiskContent {
  readonly partitions: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly esp: ReadonlyMap<string, string>;
}

interface Table {
  partitiontable: {
    sectorsize: number;
    partitions: { start: number; size: number; type: string; name: string }[];
  };
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Reads a disk image whose first partition is the ESP and whose second is the root. */
export function diskContent(path: string): DiskContent {
  const { partitiontable: table } = JSON.parse(run('sfdisk', '--json', path)) as Table;
  const [esp, root] = table.partitions;
  if (!esp || !root) throw new Error(`${path} has fewer than two partitions`);
  return {
    partitions: table.partitions.map(({ start, size, type, name }) => `${start} ${size} ${type} ${name}`),
    files: rootFiles(path, root.start * table.sectorsize, root.size * table.sectorsize),
    esp: espFiles(`${path}@@${esp.start * table.sectorsize}`),
  };
}

function rootFiles(path: string, offset: number, sizelimit: number): Map<string, string> {
  const at = mkdtempSync(join(tmpdir(), 'iguana-root-'));
  run('mount', '-o', `ro,noload,loop,offset=${offset},sizelimit=${sizelimit}`, path, at);
  try {
    const files = new Map<string, string>();
    const separator = '\t';
    for (const line of run('find', at, '-xdev', '-printf', '/%P\\t%y %m %U:%G %l\\n')
      .split('\n')
      .filter(Boolean)) {
      const [name = '', rest = ''] = line.split(separator);
      files.set(name, rest);
    }
    for (const line of run(
      'sh',
      '-c',
      'cd "$1" && find . -xdev -type f -print0 | xargs -0 sha256sum',
      'sh',
      at,
    ).split('\n')) {
      const [digest, name] = line.split('  ./');
      if (name) files.set(`/${name}`, `${files.get(`/${name}`)} ${digest}`);
    }
    return files;
  } finally {
    run('umount', at);
    rmdirSync(at);
  }
}

function espFiles(image: string): Map<string, string> {
  const names = run('mdir', '-/', '-b', '-i', image, '::').split('\n').filter(Boolean);
  return new Map(
    names
      .filter((name) => !name.endsWith('/'))
      .map((name) => [name, sha256(execFileSync('mtype', ['-i', image, name], { maxBuffer: 2 ** 28 }))]),
  );
}

/** Paths in which two disks differ. */
export function differences(a: DiskContent, b: DiskContent): string[] {
  const of = (x: ReadonlyMap<string, string>, y: ReadonlyMap<string, string>) =>
    [...new Set([...x.keys(), ...y.keys()])].filter((name) => x.get(name) !== y.get(name));
  const sameTable = JSON.stringify(a.partitions) === JSON.stringify(b.partitions);
  return [...(sameTable ? [] : ['partition table']), ...of(a.files, b.files), ...of(a.esp, b.esp)].sort();
}
