/**
 * Which machines shall have an agent on this host. `iguana install` asks for one here; the server keeps the agent's
 * container running for as long as the request stands, whatever is killed in between.
 */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from './json-file.ts';
import type { StatePaths } from './state.ts';

/** A request for an agent container. */
export interface AgentRequest {
  readonly machineId: string;
  /** Folders of the host that the agent must see, beside the store and /dev: where a disk image file is. */
  readonly folders: readonly string[];
}

const folder = (paths: StatePaths): string => join(paths.run, 'agents');
const file = (paths: StatePaths, machineId: string): string =>
  join(folder(paths), `${encodeURIComponent(machineId)}.json`);

/** Asks for an agent; asking again replaces the request. */
export async function requestAgent(paths: StatePaths, request: AgentRequest): Promise<void> {
  await writeJsonFile(file(paths, request.machineId), request);
}

/** Says that the agent is needed no longer. */
export async function dismissAgent(paths: StatePaths, machineId: string): Promise<void> {
  await rm(file(paths, machineId), { force: true });
}

/** All standing requests. */
export async function requestedAgents(paths: StatePaths): Promise<AgentRequest[]> {
  await mkdir(folder(paths), { recursive: true });
  const names = (await readdir(folder(paths))).filter((name) => name.endsWith('.json'));
  const requests = await Promise.all(
    names.map((name) => readJsonFile<AgentRequest>(join(folder(paths), name))),
  );
  return requests.filter((request) => request !== undefined);
}

/** Calls back when requests may have changed; more often than they did. Close what it answers. */
export async function watchRequests(paths: StatePaths, onChange: () => void): Promise<FSWatcher> {
  await mkdir(folder(paths), { recursive: true });
  return watch(folder(paths), onChange);
}
