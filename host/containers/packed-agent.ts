/** The agent's container as a registry keeps it: as small as zstd makes it, since every machine fetches it at every start. */
import { join } from 'node:path';
import { runTool } from '../boot/run-tool.ts';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import { AGENT_CONTAINER, agentLayers } from './agent.ts';
import { imageConfig } from './image.ts';
import { cachedLayer, dropUnusedLayers, type Layer } from './layer.ts';

/** Level 19 takes a minute once, and saves a tenth of level 12. One thread or many give the same bytes. */
const ZSTD = ['-19', '--threads=0'] as const;

/** A layer's archive, compressed with zstd. */
export interface PackedLayer {
  readonly path: string;
  /** `sha256:…` of the file. */
  readonly digest: string;
  readonly bytes: number;
}

/** What a registry keeps of it. */
export interface PackedAgent {
  /** The image's configuration, JSON. */
  readonly config: Buffer;
  /** Lowest first. */
  readonly layers: readonly PackedLayer[];
}

/**
 * The agent of these sources; what does not change between two is in the cache. The same sources give the same bytes.
 * @param onLine told what is being done, a line for people
 * @throws Error with what mmdebstrap, esbuild or zstd said
 */
export async function packedAgent(paths: StatePaths, onLine: (line: string) => void): Promise<PackedAgent> {
  const folder = join(paths.cache, 'containers/layers');
  // The lock of boot images, which are made of the same layers.
  return await withLock(join(paths.cache, 'containers/boot.lock'), async () => {
    const layers = await agentLayers(folder, onLine);
    const packed: PackedLayer[] = [];
    for (const layer of layers) packed.push(await packedLayer(folder, layer, onLine));
    await dropUnusedLayers(folder);
    return { config: Buffer.from(imageConfig({ layers, ...AGENT_CONTAINER })), layers: packed };
  });
}

async function packedLayer(
  folder: string,
  { diffId, path: archive, bytes: archiveBytes }: Layer,
  onLine: (line: string) => void,
): Promise<PackedLayer> {
  const found = await cachedLayer(folder, { packed: diffId, zstd: ZSTD }, async (path) => {
    onLine(`agent: compressing a layer of ${Math.round(archiveBytes / 1e6)} MB`);
    const args = [...ZSTD, '--quiet', '--force', archive, '-o', path];
    await runTool('zstd', args, { doing: `compressing ${archive}`, from: 'zstd' });
  });
  return { path: found.path, digest: found.diffId, bytes: found.bytes };
}
