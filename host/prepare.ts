/** Prepares what takes long the first time: Temporal, the container engine and the container images. Run by setup/setup.sh. */
import { ensureAgentImage } from './containers/agent.ts';
import { ensureBuilderImage } from './containers/builder.ts';
import { openEngine } from './engine/open.ts';
import { statePaths } from './state.ts';
import { supplyTemporal } from './temporal/supply.ts';

const say = (line: string): void => console.error(`setup: ${line}`);

const paths = statePaths();
try {
  await supplyTemporal(paths, say);
  const engine = await openEngine(paths);
  await ensureAgentImage(engine, paths, say);
  await ensureBuilderImage(engine, paths, say);
} catch (error) {
  for (let at = error; at instanceof Error; at = at.cause) console.error(`setup: ${at.message}`);
  process.exitCode = 1;
}
