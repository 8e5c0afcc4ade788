/** The `plan` step: profile layers and facts become a manifest, or a failure that names everything that is in the way. */

import { hostAptMirror } from '../../host/apt-mirror.ts';
import { formatDiagnostics } from '../../manifest/diagnostics.ts';
import { checkLayers, planManifest } from '../../manifest/plan.ts';
import type { NotPlanned } from '../../manifest/plan-types.ts';
import type { ControlActivities, PlanInput, PlanResult } from '../contract.ts';
import { failure } from '../failures.ts';

/** A failure travels through the history: more errors than these help nobody. */
const MAX_SHOWN = 100;

/**
 * The activities of planning.
 * @param root of the host whose apt mirror is the default; a test gives another
 */
export function planActivities(root = '/'): Pick<ControlActivities, 'plan' | 'checkLayers'> {
  return {
    plan: (input) => plan(input, root),
    checkLayers: async ({ layers }) => {
      const diagnostics = checkLayers(layers);
      const [first] = diagnostics;
      if (first) throw refusal('checking the profile', { ok: false, kind: 'ProfileInvalid', diagnostics });
    },
  };
}

async function plan({ layers, facts, target }: PlanInput, root: string): Promise<PlanResult> {
  const mirror = await hostAptMirror(root);
  const outcome = planManifest({ layers, facts, target, ...(mirror && { mirror }) });
  if (!outcome.ok) throw refusal(`planning the install of ${facts.machine.id}`, outcome);
  const { manifest, manifestDigest, destroyed, keys } = outcome;
  return { manifest, manifestDigest, destroyed, keys };
}

function refusal(doing: string, { kind, diagnostics, candidates }: NotPlanned): Error {
  const shown = diagnostics.slice(0, MAX_SHOWN);
  const more = diagnostics.length - shown.length;
  const lines = formatDiagnostics(shown) + (more > 0 ? `\nand ${more} more` : '');
  return failure(kind, `${doing}:\n${lines}`, {
    context: { diagnostics: shown, ...(candidates && { candidates }) },
  });
}
