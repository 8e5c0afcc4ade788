/** The container images that Iguana makes: what is in them, and that they are made once. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureAgentImage } from '../../host/containers/agent.ts';
import { ensureBuilderImage } from '../../host/containers/builder.ts';
import type { Engine } from '../../host/engine/connect.ts';
import { openEngine } from '../../host/engine/open.ts';
import { runContainer } from '../../host/engine/run.ts';
import { statePaths } from '../../host/state.ts';
import { CommandLine } from '../client/command.ts';
import { folderWith } from '../client/folder.ts';

const paths = statePaths();
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

  test('goes into a registry with less than 60 MB, as the same bytes each time', {
    // Compressing takes a minute of two processors, once.
    timeout: 900_000,
  }, async () => {
    const iguana = new CommandLine();
    const [one, other] = [folderWith(), folderWith()];
    const { documents } = await iguana.json(['boot', 'agent', `oci:${one}`]);
    const [{ digest, bytes }] = documents as [{ digest: string; bytes: number }];
    expect(bytes).toBeGreaterThan(40e6);
    expect(bytes).toBeLessThan(60e6);
    expect((await iguana.run(['boot', 'agent', `oci:${other}:1`])).stdout).toContain(`${digest}, `);
    // Another tool reads it, and finds three layers whose archives are those of the image.
    const { stdout } = await promisify(execFile)('skopeo', ['inspect', '--config', `oci:${other}:1`]);
    const { RootFS } = await engine.docker.getImage(image).inspect();
    expect((JSON.parse(stdout) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids).toEqual(
      RootFS?.Layers,
    );
    expect(RootFS?.Layers).toHaveLength(3);
  });

  test('goes nowhere that is no place for it', async () => {
    for (const [place, why] of [
      ['agent', 'it is not one of'],
      ['https://example.org/agent', 'a web server can only be read from'],
      ['oci:agent@sha256:0', 'is no digest'],
    ] as const)
      expect(await new CommandLine().run(['boot', 'agent', place])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(why),
      });
  });
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
