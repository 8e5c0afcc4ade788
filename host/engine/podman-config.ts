/** The containers.conf(5) under which Iguana starts podman's service on hosts where podman's own does not suffice. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** True where control groups are of version 1: crun, podman's default runtime, refuses them. */
export function hasCgroupV1(): boolean {
  return !existsSync('/sys/fs/cgroup/cgroup.controllers');
}

/** @returns the text of containers.conf */
export async function podmanConfig(): Promise<string> {
  const engine = [
    // No journal and no D-Bus where systemd is not PID 1.
    `events_logger = "file"`,
    ...(existsSync('/run/systemd/system') ? [] : ['cgroup_manager = "cgroupfs"']),
    ...(hasCgroupV1() ? ['runtime = "runc"'] : []),
  ];
  const containers = [`default_ulimits = [${(await ulimits()).map((limit) => `"${limit}"`).join(', ')}]`];
  return ['[engine]', ...engine, '[containers]', ...containers, ''].join('\n');
}

/** What containers are allowed at most. Podman lowers its own limits at start, and children cannot exceed them. */
const LIMITS = { 'Max open files': ['nofile', 1_048_576], 'Max processes': ['nproc', 10_000] } as const;

/**
 * The limits for containers, as `name=soft:hard`: at most this process's own. Podman's defaults are higher than what
 * some hosts allow even to root, and then no container starts.
 */
async function ulimits(): Promise<string[]> {
  const own = await readFile('/proc/self/limits', 'utf8');
  return Object.entries(LIMITS).map(([title, [name, most]]) => {
    const hard = new RegExp(`^${title}\\s+\\S+\\s+(\\d+)\\s`, 'm').exec(own)?.[1];
    const limit = Math.min(most, hard === undefined ? most : Number(hard));
    return `${name}=${limit}:${limit}`;
  });
}
