/** Steps whose code is loaded with the first task. */
import type { AgentActivities } from '../activities/contract.ts';
import { STEP_WORDS } from './console/narrator.ts';

/**
 * Activities that answer for all steps before any of their code is loaded: half of what an agent loads are tools of single steps, and
 * a machine that has just started polls seconds sooner without them.
 * @param load makes the real ones; called once. Where it fails, Node goes on failing in the same way: it has to end the process
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
