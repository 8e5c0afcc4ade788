/** What a workflow file comes to: jobs in the order in which they run, each with all that its containers get. */
import { type Located, nodeAt } from '../located.ts';
import { orderJobs } from './order.ts';
import type { WorkflowContainer, WorkflowFile } from './schema.ts';
import { isBoundAnyway } from './volume.ts';

/** A container as podman is told to run it. */
export interface PlannedContainer {
  readonly image: string;
  /** Without `iguana`, which all have; the container's own over the workflow's. */
  readonly env: ReadonlyMap<string, string>;
  /** Without those that all have. */
  readonly volumes: readonly string[];
}

/** A container that serves a job in the background. */
export interface PlannedService extends PlannedContainer {
  readonly id: string;
}

/** A job. */
export interface PlannedJob {
  readonly id: string;
  /** Jobs before it that must have ended well. */
  readonly needs: readonly string[];
  readonly continuesOnError: boolean;
  readonly container: PlannedContainer;
  readonly services: readonly PlannedService[];
  /** Whether it has steps, which are never executed. */
  readonly hasSteps: boolean;
}

/** The whole. */
export interface WorkflowPlan {
  readonly name?: string;
  /** In the order in which they run. */
  readonly jobs: readonly PlannedJob[];
}

/**
 * @param file without mistakes
 * @param root the same with the order of its maps: objects put keys that look like numbers first
 */
export function planJobs(file: WorkflowFile, root: Located): WorkflowPlan {
  const needs = new Map(keysOf(root, 'jobs').map((id) => [id, needsOf(file, id)]));
  const jobs = orderJobs(needs).order.flatMap((id): PlannedJob[] => {
    const job = file.jobs[id];
    if (!job) return [];
    return [
      {
        id,
        needs: needs.get(id) ?? [],
        continuesOnError: job.continue_on_error ?? false,
        container: planContainer(job.container, file),
        services: keysOf(root, 'jobs', id, 'services').flatMap((service) => {
          const container = job.services?.[service];
          return container ? [{ id: service, ...planContainer(container, file) }] : [];
        }),
        hasSteps: (job.steps ?? []).length > 0,
      },
    ];
  });
  return { ...(file.name && { name: file.name }), jobs };
}

function needsOf({ jobs }: WorkflowFile, id: string): readonly string[] {
  const needs = jobs[id]?.needs ?? [];
  return typeof needs === 'string' ? [needs] : [...new Set(needs)];
}

function planContainer({ image, env, volumes }: WorkflowContainer, file: WorkflowFile): PlannedContainer {
  const merged = new Map([...Object.entries(file.env ?? {}), ...Object.entries(env ?? {})]);
  merged.delete('iguana');
  return { image, env: merged, volumes: (volumes ?? []).filter((volume) => !isBoundAnyway(volume)) };
}

function keysOf(root: Located, ...path: string[]): readonly string[] {
  const node = nodeAt(root, path);
  return node?.kind === 'map' ? [...node.entries.keys()] : [];
}
