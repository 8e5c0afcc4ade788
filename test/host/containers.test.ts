/** The container images that Iguana makes: what is in them, and that they are made once. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureAgentImage } from '../../host/containers/agent.ts';
import { ensureBuilderImage } from '../../host/containers/builder.ts';
import type { Engine } from '../../host/engine/connect.ts';
import { openEngine } from '../../host/engine/open.ts';
import { runContainer } from '../../host/engine/run.ts';
import { statePaths } from '../../host/state.ts';

const paths = statePaths();
const MIB = 1024 ** 2;
let engine: Engine;

beforeAll(async () => {
  engine = await openEngine(paths);
});

async function output(image: string, script: string): Promise<string> {
  const lines: string[] = [];
  await runContainer(engine, {
    image,
    name: `iguana-test-image-${process.pid}`,
    command: ['sh', '-c', script],
    networkMode: 'host',
    onOutput: (line) => lines.push(line),
  });
  return lines.join('\n');
}

describe('the agent', () => {
  let image: string;
  beforeAll(async () => {
    image = await ensureAgentImage(engine, paths, () => undefined);
  });

  test('has systemd-repart 257 and Node 26', async () => {
    expect(await output(image, 'systemd-repart --version')).toMatch(/^systemd 257 /);
    expect(await output(image, 'node --version')).toMatch(/^v26\./);
  });

  test('has every tool of the steps, each with its libraries', async () => {
    const tools =
      'blkid blockdev btrfs btrfstune debugfs dmidecode e2fsck fatlabel findmnt fsck.vfat ip losetup lsblk mcopy ' +
      'mkfs.btrfs mkfs.ext4 mkfs.vfat mkfs.xfs mkswap mount mtools partx resize2fs sfdisk ssh-keygen swaplabel tar ' +
      'tune2fs udevadm umount wipefs xfs_admin xfs_growfs xfs_io xfs_repair zstd';
    const script = `for tool in ${tools}; do
        path=$(command -v $tool) || { echo "missing $tool"; continue; }
        ldd "$path" 2>/dev/null | grep 'not found' && echo "in $tool"
      done; true`;
    expect(await output(image, script)).toBe('');
  });

  test('starts: without a machine it says so, with one it asks for Temporal', async () => {
    expect(await output(image, 'node /usr/lib/iguana/agent.js')).toMatch(
      /neither IGUANA_GATEWAY nor IGUANA_MACHINE is set/,
    );
    const said = await output(
      image,
      'IGUANA_MACHINE=test TEMPORAL_ADDRESS=127.0.0.1:1 timeout 5 node /usr/lib/iguana/agent.js',
    );
    expect(said).toMatch(/connecting to Temporal failed; trying again/);
  });

  test('reads workflow files of the original Iguana, for the boot image', async () => {
    const said = await output(
      image,
      `cd /tmp && echo 'jobs: {a: {container: {image: r.example/a}}}' >c &&
        node /usr/lib/iguana/workflow-file.js --file c --embedded --plan plan && cat plan/001/image`,
    );
    expect(said).toBe('workflow jobs: a\nr.example/a');
  });

  test('stays small enough for the network', async () => {
    const { RootFS } = await engine.docker.getImage(image).inspect();
    const layers = await Promise.all(RootFS?.Layers?.map(archiveOf) ?? []);
    expect(layers.length).toBe(3);
    // Level 12 takes seconds; what a registry would hold, at level 19, is a tenth less: below 60 MB.
    const sizes = await Promise.all(layers.map(compressedBytes));
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(64 * 1e6);
  });

  /** The archive in the cache of layers, by its digest. */
  async function archiveOf(diffId: string): Promise<string> {
    const folder = join(paths.cache, 'containers/layers');
    const { stdout } = await promisify(execFile)('grep', ['-lr', diffId, folder, '--include=*.json']);
    return stdout.trim().replace(/json$/, 'tar');
  }

  async function compressedBytes(path: string): Promise<number> {
    expect((await stat(path)).size).toBeGreaterThan(MIB);
    const { stdout } = await promisify(execFile)('sh', ['-c', 'zstd -12 -T0 -c "$1" | wc -c', 'sh', path]);
    return Number(stdout);
  }
});

describe('the builder', () => {
  test('has the tools of a build', async () => {
    const image = await ensureBuilderImage(engine, paths, () => undefined);
    expect(await output(image, 'mmdebstrap --version')).toMatch(/^mmdebstrap /);
    const tools = 'apt-get gpg gpgv mke2fs mkfs.btrfs mkfs.vfat mkfs.xfs mcopy qemu-img xz zstd';
    expect(
      await output(image, `for t in ${tools}; do command -v $t >/dev/null || echo missing $t; done`),
    ).toBe('');
  });

  test('callers at the same time get one image, and nothing is made twice', async () => {
    const said: string[] = [];
    const tags = await Promise.all(
      [1, 2, 3].map(() => ensureBuilderImage(engine, paths, (line) => said.push(line))),
    );
    expect(new Set(tags).size).toBe(1);
    expect(said).toEqual([]);
  });
});
