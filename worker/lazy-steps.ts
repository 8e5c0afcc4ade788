/** Steps whose code is loaded with the first task. */
import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentActivities } from '../activities/contract.ts';
import { STEP_WORDS } from './console/narrator.ts';

const LOOK_MS = 100;
/** Longer than the boot image itself waits; what is not there by then is not waited for. */
const DEVICES_MS = 180_000;

/**
 * Activities that answer for all steps before any of their code is loaded: half of what an agent loads are tools of single steps, and
 * a machine that has just started polls seconds sooner without them.
 * @param load makes the real ones; called once
 */
export function lazySteps(load: () => Promise<AgentActivities>): AgentActivities {
  let loading: Promise<AgentActivities> | undefined;
  const step = (name: keyof AgentActivities) => async (input: never) => {
    loading ??= load();
    return await (await loading)[name](input);
  };
  const names = Object.keys(STEP_WORDS) as (keyof AgentActivities)[];
  return Object.fromEntries(names.map((name) => [name, step(name)])) as unknown as AgentActivities;
}

/**
 * Waits until the machine has found its devices: an agent polls before the slowest of them has a driver, and a step must not miss a disk.
 * @param file `IGUANA_DEVICES_FILE`, which the boot image makes then; none beside a server
 */
export async function devicesFound(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const deadline = performance.now() + DEVICES_MS;
  while (
    performance.now() < deadline &&
    !(await access(file).then(
      () => true,
      () => false,
    ))
  )
    await sleep(LOOK_MS);
}
