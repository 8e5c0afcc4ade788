/** The container in which the steps on a machine run: Debian's tools, Node, and the agent. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Engine } from '../engine/connect.ts';
import type { StatePaths } from '../state.ts';
import { type AgentBundle, bundleAgent } from './agent-bundle.ts';
import { makeUserland, packagesOf, type Userland, userlandKey } from './debian.ts';
import { ensureImage } from './ensure.ts';
import { contentTag } from './image.ts';
import { cachedLayer, type Layer } from './layer.ts';
import { makeTreeLayer } from './tree-layer.ts';

const RECIPE = fileURLToPath(new URL('../../initrd/agent/', import.meta.url));
/** Where the agent lives in the container. */
const APP = '/usr/lib/iguana';
const NODE = '/usr/bin/node';
/** What the container runs. */
export const AGENT_COMMAND = [NODE, `${APP}/agent.js`] as const;
/** How the container runs. */
export const AGENT_CONTAINER = { command: [...AGENT_COMMAND], env: ['NODE_ENV=production'] } as const;

/**
 * The agent's image; made where the engine does not have it. Quick when it has: the sources are bundled to know.
 * Three layers, of which a change of the sources makes one anew: Debian, Node, the agent.
 * @param onLine told what is being done, a line for people
 * @param entry source of the program; default worker/agent.ts
 * @returns the tag to run it by; its command is the agent
 * @throws EngineFailed, or Error with what mmdebstrap or esbuild said
 */
export async function ensureAgentImage(
  engine: Engine,
  paths: StatePaths,
  onLine: (line: string) => void,
  entry?: string,
): Promise<string> {
  const content = await agentContent(entry);
  return await ensureImage(engine, paths, onLine, {
    name: 'agent',
    tag: content.tag,
    layers: (folder) => layersOf(content, folder, onLine),
    ...AGENT_CONTAINER,
  });
}

/**
 * The layers of the agent's image, lowest first, from the cache or made.
 * @param folder the cache of layers
 * @param onLine told what is being done, a line for people
 */
export async function agentLayers(folder: string, onLine: (line: string) => void): Promise<readonly Layer[]> {
  return await layersOf(await agentContent(), folder, onLine);
}

async function layersOf(
  { userland, node, app, bundle }: Awaited<ReturnType<typeof agentContent>>,
  folder: string,
  onLine: (line: string) => void,
): Promise<readonly Layer[]> {
  return [
    await cachedLayer(folder, userlandKey(userland), (path) => makeUserland(userland, path, onLine)),
    await cachedLayer(folder, node, makeNodeLayer),
    await cachedLayer(folder, app, (path) => makeAppLayer(bundle, path)),
  ];
}

/** @returns the tag that the agent's image has for the sources as they are */
export const agentImageTag = async (): Promise<string> => (await agentContent()).tag;

async function agentContent(entry?: string) {
  const [userland, bundle] = await Promise.all([agentUserland(), bundleAgent(entry)]);
  const node = nodeKey();
  const app = appKey(bundle);
  return { userland, node, app, bundle, tag: contentTag('agent', [userlandKey(userland), node, app]) };
}

async function agentUserland(): Promise<Userland> {
  const packages = await readFile(join(RECIPE, 'packages.txt'), 'utf8');
  const slim = join(RECIPE, 'slim.sh');
  return {
    variant: 'essential',
    packages: packagesOf(packages),
    customize: { program: slim, digest: digestOf(await readFile(slim)) },
  };
}

const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

const nodeKey = (): unknown => ({ layer: 'node', version: process.version });

async function makeNodeLayer(path: string): Promise<void> {
  const stripped = `${path}.node`;
  try {
    // Symbols are a third of Node, and no use without a debugger.
    await strip(await realpath(process.execPath), stripped);
    await makeTreeLayer([{ path: NODE, source: { file: stripped }, mode: 0o755 }], path);
  } finally {
    await rm(stripped, { force: true });
  }
}

const appKey = ({ programs, nativeLibrary }: AgentBundle): unknown => ({
  layer: 'agent',
  programs: programs.map(({ name, code }) => [name, digestOf(code)]),
  nativeLibrary: nativeLibrary.version,
});

async function makeAppLayer({ programs, nativeLibrary }: AgentBundle, path: string): Promise<void> {
  const stripped = `${path}.library`;
  try {
    await strip(nativeLibrary.file, stripped);
    await makeTreeLayer(
      [
        ...programs.map(({ name, code }) => ({ path: join(APP, name), source: { content: code } })),
        { path: join(APP, 'package.json'), source: { content: '{"type":"module"}\n' } },
        { path: join(APP, nativeLibrary.path), source: { file: stripped } },
      ],
      path,
    );
  } finally {
    await rm(stripped, { force: true });
  }
}

async function strip(from: string, to: string): Promise<void> {
  try {
    await promisify(execFile)('strip', ['--strip-all', '-o', to, from], { cwd: dirname(to) });
  } catch (cause) {
    throw new Error(`stripping ${from}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
