/** From where a workflow file is to a plan that can be run, or to what a person has to do. */
import { type Diagnostic, formatDiagnostics, sortDiagnostics } from '../../manifest/diagnostics.ts';
import { checkWorkflowFile } from '../../manifest/workflow-file/check.ts';
import { Refused } from './refused.ts';
import { type FilePlace, type TrustRequest, trustedText } from './trust.ts';
import { writePlan } from './write-plan.ts';

/** A console scrolls. */
const MAX_MISTAKES = 40;

/**
 * @param folder where the plan is put; nothing is there where this fails
 * @returns what is going to be done, lines for people
 * @throws Refused
 */
export async function prepareWorkflow(request: TrustRequest, folder: string): Promise<readonly string[]> {
  const text = await trustedText(request);
  const { plan, diagnostics } = checkWorkflowFile(text, nameOf(request.place));
  if (!plan) throw mistakes(diagnostics);
  await writePlan(plan, folder);
  return [
    `workflow ${plan.name === undefined ? '' : `${JSON.stringify(plan.name)}, `}jobs: ${plan.jobs.map(({ id }) => id).join(', ')}`,
    ...plan.jobs
      .filter(({ hasSteps }) => hasSteps)
      .map(({ id }) => `not followed: the steps of job ${id}; its container does what it was made for`),
  ];
}

function mistakes(all: readonly Diagnostic[]): Refused {
  const shown = formatDiagnostics(sortDiagnostics(all).slice(0, MAX_MISTAKES));
  const more = all.length > MAX_MISTAKES ? `\nand ${all.length - MAX_MISTAKES} more` : '';
  const count = all.length === 1 ? '1 mistake' : `${all.length} mistakes`;
  return new Refused(`${count}, nothing is run\n${shown}${more}`, 'correct the file, and sign it again');
}

function nameOf(place: FilePlace): string {
  const path = 'url' in place ? place.url.pathname : place.file;
  return path.split('/').at(-1) || 'control.yaml';
}
