/** Looks after the agents for as long as the server runs: at once when one is asked for, else from time to time. */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { watchRequests } from '../host/agent-requests.ts';
import { ensureAgentImage } from '../host/containers/agent.ts';
import { openEngine } from '../host/engine/open.ts';
import type { StatePaths } from '../host/state.ts';
import { type AgentHost, reconcileAgents, standingRequests, stopAgents } from './agents.ts';

/** How soon the agent of an ended install goes, and what failed is tried again. */
const LOOK_MS = 1_000;

/** Wakes one waiter; rung while nobody waits, it wakes the next at once. */
class Bell {
  #next = Promise.withResolvers<void>();

  ring(): void {
    this.#next.resolve();
  }

  /** Returns when it was rung, or the signal is aborted. */
  async rung(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = this.#next;
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
    await promise;
    this.#next = Promise.withResolvers();
  }
}

/** Keeps agents running until told to stop. Whatever fails, the engine above all, is tried again. */
export async function keepAgents(
  paths: StatePaths,
  client: Client,
  environment: Readonly<Record<string, string>>,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const watched = new Set<string>();
  const bell = new Bell();
  const watcher = await watchRequests(paths, () => bell.ring());
  let host: AgentHost | undefined;
  // Asking the engine costs it a tenth of a second: it is asked when something has changed. The first look also finds
  // what a killed server left.
  let settled: string | undefined;
  while (!signal.aborted) {
    try {
      host ??= { ...(await engineAndImage(paths, logger)), paths, client, environment, logger, watched };
      const requests = await standingRequests(host);
      const wanted = JSON.stringify(requests);
      if (wanted !== settled) {
        settled = wanted;
        await reconcileAgents(host, requests, () => {
          // Without ringing: one that ends as soon as it starts is not started again without a pause.
          settled = undefined;
        });
      }
    } catch (error) {
      logger.warn({ err: error }, 'looking after the agents failed; trying again');
      host = undefined;
      settled = undefined;
    }
    await bell.rung(AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]));
  }
  watcher.close();
  if (host) await stopAgents(host);
}

async function engineAndImage(
  paths: StatePaths,
  logger: Logger,
): Promise<Pick<AgentHost, 'docker' | 'image'>> {
  const engine = await openEngine(paths);
  const image = await ensureAgentImage(engine, paths, (line) => logger.info(line));
  return { docker: engine.docker, image };
}
