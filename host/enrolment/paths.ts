/** What the gateway keeps in the state folder. All gateways of one state folder share all of it. */
import { join } from 'node:path';
import type { StatePaths } from '../state.ts';

/** Files and folders; all absolute. */
export interface GatewayPaths {
  readonly root: string;
  /** The authority's certificate and key, and the key that binds task tokens. */
  readonly keys: string;
  /** Held while any of the files is changed. */
  readonly lock: string;
  /** A file for each token, named by its digest. */
  readonly tokens: string;
  /** A file for each machine that has enrolled. */
  readonly machines: string;
  /** A file for each key that waits for approval. */
  readonly pending: string;
  /** An empty file for each machine, whose time says when the machine was last seen. */
  readonly seen: string;
  /** A file for each machine that has asked what to start from since its install was begun. */
  readonly boots: string;
}

/** @returns the gateway's part of a state folder */
export function gatewayPaths(paths: Pick<StatePaths, 'root'>): GatewayPaths {
  const root = join(paths.root, 'gateway');
  return {
    root,
    keys: join(root, 'keys.json'),
    lock: join(root, 'lock'),
    tokens: join(root, 'tokens'),
    machines: join(root, 'machines'),
    pending: join(root, 'pending'),
    seen: join(root, 'seen'),
    boots: join(root, 'boots'),
  };
}

/** @returns the name of the file for a machine */
export const machineFile = (machineId: string): string => `${encodeURIComponent(machineId)}.json`;
