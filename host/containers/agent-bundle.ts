/** The agent's program, one for its threads, one that reads workflow files, what they load when it is needed, and the one native library. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** The agent without its sources. */
export interface AgentBundle {
  /** `agent.js` and what it loads by path, which belong into one folder. */
  readonly programs: readonly { readonly name: string; readonly code: Uint8Array }[];
  /** Temporal's native library, and the path beside the bundle at which the code looks for it. */
  readonly nativeLibrary: { readonly file: string; readonly path: string; readonly version: string };
}

/** The entry of the agent, in the sources beside this folder. */
const ENTRY = fileURLToPath(new URL('../../worker/agent.ts', import.meta.url));

/** What the threads of a disk write run: `image/write/threads.ts` looks for it beside itself. */
const THREAD = fileURLToPath(new URL('../../image/write/thread.ts', import.meta.url));

/** What Temporal's SDK loads by its path: `host/codec/data-converter.ts` looks for it beside itself. */
const FAILURE_CONVERTER = fileURLToPath(new URL('../codec/failure-converter.ts', import.meta.url));

/** A program of its own, beside the agent: it reads workflow files for `initrd/boot/root/usr/lib/iguana/workflow`. */
const WORKFLOW_FILE = fileURLToPath(new URL('../../worker/workflow-file.ts', import.meta.url));

/**
 * Parts of Temporal's worker for processes that run workflows: they drag webpack and swc in, 100 MB, and an agent runs
 * activities only. Whoever calls into one gets an error that says so.
 */
const WORKFLOW_PARTS = /^\.\/(workflow\/bundler|bundler|debug-replayer)$/;

const withoutWorkflowParts: Plugin = {
  name: 'without-workflow-parts',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: WORKFLOW_PARTS }, ({ path, importer }) =>
      importer.includes('/@temporalio/worker/') ? { path, namespace: 'left-out' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get(_, name) {
        if (name === '__esModule') return true;
        return () => { throw new Error('the agent has no ' + ${JSON.stringify(path)} + ': it runs no workflows'); };
      } });`,
    }));
  },
};

/** A dependency of the worker's, whose version the worker decides. */
const NATIVE_PACKAGE = '@temporalio/core-bridge';

/** What CommonJS packages expect to find around them. */
const PRELUDE = `
import { createRequire as iguanaCreateRequire } from 'node:module';
import { dirname as iguanaDirname } from 'node:path';
const require = iguanaCreateRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = iguanaDirname(__filename);
`;

/**
 * Bundles the agent.
 * @param entry the source to start from; default worker/agent.ts
 * @throws Error with esbuild's messages
 */
export async function bundleAgent(entry: string = ENTRY): Promise<AgentBundle> {
  const result = await build({
    entryPoints: {
      agent: entry,
      thread: THREAD,
      'failure-converter': FAILURE_CONVERTER,
      'workflow-file': WORKFLOW_FILE,
    },
    bundle: true,
    // What is imported when it is needed is a file of its own, which is not read before.
    splitting: true,
    write: false,
    outdir: '.',
    platform: 'node',
    target: 'node26',
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
    // Names of classes and functions are kept: they are names of activities and of errors.
    keepNames: true,
    legalComments: 'none',
    banner: { js: PRELUDE },
    plugins: [withoutWorkflowParts],
    logLevel: 'silent',
  });
  const programs = result.outputFiles.map(({ path, contents }) => ({ name: basename(path), code: contents }));
  return { programs, nativeLibrary: await nativeLibrary() };
}

async function nativeLibrary(): Promise<AgentBundle['nativeLibrary']> {
  const require = createRequire(createRequire(import.meta.url).resolve('@temporalio/worker'));
  const folder = dirname(require.resolve(`${NATIVE_PACKAGE}/package.json`));
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const path = 'releases/x86_64-unknown-linux-gnu/index.node';
  return { file: join(folder, path), path, version };
}
