/** The boot image: a kernel and an initrd that every machine starts from. The same inputs give the same bytes. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { agentLayers } from '../containers/agent.ts';
import { cachedLayer, dropUnusedLayers, type Layer } from '../containers/layer.ts';
import { makeTreeLayer } from '../containers/tree-layer.ts';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import { largestShares, type Share } from './contents.ts';
import { ALIGNMENT, cpioOfTar } from './cpio.ts';
import { type BootConfiguration, embeddedFiles } from './embedded.ts';
import { firmwareArchive } from './firmware.ts';
import { SQUASHFS_OPTIONS, squashfsArchive, squashfsOfFolder, squashfsOfLayers } from './squashfs.ts';
import { type BootVariant, bootSystem } from './system.ts';

/** Where the agent's container lies in a boot image that holds it; `initrd/boot/root/usr/lib/iguana/agent-container.sh` looks there. */
const AGENT_FILE = '/usr/lib/iguana/agent.squashfs';

/** Drivers; `initrd/boot/root/init` mounts them before anything else, with two of them that `modules.sh` puts beside. */
const MODULES = { from: './usr/lib/modules', at: '/usr/lib/iguana/modules.squashfs' } as const;

/** Of what takes the space, so many are told. */
const SHARES = 12;

/** What is asked for. */
export interface BootRequest extends BootConfiguration {
  readonly variant: BootVariant;
  /** Kernel and initrd that dracut has made with Iguana's module, instead of {@link variant}. */
  readonly system?: { readonly kernel: string; readonly initrd: string };
  /** Whether the agent's container is in it; otherwise it is pulled. */
  readonly baked: boolean;
  /** Whether firmware of network cards and storage adapters is in it; default false: it is not free software. */
  readonly firmware?: boolean;
  /** Where `vmlinuz` and `initrd.img` are put; made. */
  readonly folder: string;
  /** Told what is being done, a line for people. */
  readonly onLine: (line: string) => void;
}

/** A share of the initrd. */
export interface BootPart {
  readonly name: 'system' | 'modules' | 'firmware' | 'agent' | 'configuration';
  readonly bytes: number;
}

/** What came of it. */
export interface BootImage {
  readonly kernel: string;
  readonly kernelBytes: number;
  readonly initrd: string;
  readonly initrdBytes: number;
  /** SHA-256 of the initrd, hexadecimal. */
  readonly initrdSha256: string;
  readonly parts: readonly BootPart[];
  /** What takes the space in the parts `system` and `modules`, the largest first. */
  readonly largest: readonly Share[];
}

/**
 * Makes a boot image; what does not change between two is in the cache.
 * @throws Error with what mmdebstrap, bsdtar or zstd said
 */
export async function makeBootImage(paths: StatePaths, request: BootRequest): Promise<BootImage> {
  const { variant, system: own, baked, folder, onLine } = request;
  const cache = join(paths.cache, 'containers/layers');
  const { system, firmware, agent } = await withLock(join(paths.cache, 'containers/boot.lock'), async () => {
    const made = {
      system: own ? await foreignSystem(own) : await systemArchive(variant, cache, onLine),
      firmware: request.firmware ? await firmwareArchive(cache, onLine) : undefined,
      agent: baked ? await agentArchive(cache, onLine) : undefined,
    };
    await dropUnusedLayers(cache);
    return made;
  });
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, '.work-'));
  try {
    const files = join(work, 'files');
    await makeTreeLayer(await embeddedFiles(request), `${files}.tar`);
    await cpioOfTar(`${files}.tar`, `${files}.cpio`);
    const parts = Object.entries({
      system: system.initrd,
      modules: system.modules,
      firmware,
      agent,
      configuration: await sized(`${files}.cpio`),
    }).flatMap(([name, part]) => (part ? [{ ...part, name: name as BootPart['name'] }] : []));
    const initrd = join(folder, 'initrd.img');
    const sha256 = await concatenate(
      parts.map(({ path }) => path),
      join(work, 'initrd.img'),
    );
    const kernel = join(folder, 'vmlinuz');
    await copyFile(system.kernel.path, join(work, 'vmlinuz'));
    // A kernel without its drivers starts no machine: they are replaced together.
    await rename(join(work, 'initrd.img'), initrd);
    await rename(join(work, 'vmlinuz'), kernel);
    return {
      kernel,
      kernelBytes: system.kernel.bytes,
      initrd,
      initrdBytes: (await stat(initrd)).size,
      initrdSha256: sha256,
      parts: parts.map(({ name, bytes }) => ({ name, bytes })),
      largest: system.largest,
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

type FileOf = Pick<Layer, 'path' | 'bytes'>;
const sized = async (path: string): Promise<FileOf> => ({ path, bytes: (await stat(path)).size });

/** Kernel and initrd without an agent and without configuration. */
interface System {
  readonly initrd: FileOf;
  readonly kernel: FileOf;
  /** Where they are not part of the initrd. */
  readonly modules?: FileOf;
  readonly largest: readonly Share[];
}

/** What takes the space in another's is told by the tool that has made it. */
async function foreignSystem({ kernel, initrd }: { kernel: string; initrd: string }): Promise<System> {
  return { kernel: await sized(kernel), initrd: await sized(initrd), largest: [] };
}

async function systemArchive(
  variant: BootVariant,
  cache: string,
  onLine: (line: string) => void,
): Promise<System> {
  const tar = await bootSystem(variant, cache, onLine);
  const initrd = await cachedLayer(cache, { initrd: tar.diffId, without: MODULES.from }, async (path) => {
    onLine('boot image: compressing the system');
    await cpioOfTar(tar.path, path, ['./boot/*', './dev/*', `${MODULES.from}/*`]);
  });
  const modules = await cachedLayer(
    cache,
    { modules: tar.diffId, ...MODULES, options: SQUASHFS_OPTIONS },
    async (path) => {
      onLine('boot image: compressing the drivers');
      await squashfsArchive(MODULES.at, path, (filesystem, work) =>
        squashfsOfFolder(tar.path, MODULES.from, [], filesystem, work),
      );
    },
  );
  const kernel = await cachedLayer(cache, { kernel: tar.diffId }, async (path) => {
    await execa('bsdtar', ['--extract', '--to-stdout', '--file', tar.path, './boot/vmlinuz-*'], {
      stdout: { file: path },
    });
  });
  return { initrd, kernel, modules, largest: await largestShares(tar.path, SHARES) };
}

async function agentArchive(cache: string, onLine: (line: string) => void): Promise<Layer> {
  const layers = await agentLayers(cache, onLine);
  const key = { initrd: layers.map(({ diffId }) => diffId), at: AGENT_FILE, options: SQUASHFS_OPTIONS };
  return await cachedLayer(cache, key, async (path) => {
    onLine('boot image: compressing the agent');
    await squashfsArchive(AGENT_FILE, path, (filesystem) => squashfsOfLayers(layers, filesystem));
  });
}

/** @returns SHA-256 of the whole, hexadecimal */
async function concatenate(paths: readonly string[], to: string): Promise<string> {
  const hash = createHash('sha256');
  const output = createWriteStream(to);
  await pipeline(async function* () {
    for (const path of paths) {
      let bytes = 0;
      for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
        bytes += (piece as Buffer).length;
        hash.update(piece as Buffer);
        yield piece as Buffer;
      }
      const padding = Buffer.alloc(-bytes & (ALIGNMENT - 1));
      hash.update(padding);
      yield padding;
    }
  }, output);
  return hash.digest('hex');
}
