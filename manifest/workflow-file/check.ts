/** Judges a workflow file of the original Iguana, and says what it comes to. */
import { type Diagnostic, describeFound, describeText, diagnose, sortDiagnostics } from '../diagnostics.ts';
import { readDocument } from '../document.ts';
import { formatPath, keyPositionAt, type Located, nodeAt, type Path } from '../located.ts';
import { nearest } from '../nearest.ts';
import { validate } from '../validate.ts';
import { orderJobs } from './order.ts';
import { planJobs, type WorkflowPlan } from './plan.ts';
import { workflowFileSchema } from './schema.ts';
import { findConflicts } from './volume.ts';

/** More of them nobody reads any longer. */
const MAX_JOBS = 100;
const MAX_SERVICES = 20;

const ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;
const ID_WORDS = 'letters, digits, _ . -, at most 63';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_.-]{0,254}$/;
const VARIABLE_WORDS = 'letters, digits, _ . -, not with a digit first';

/** A file that can be run, or why it cannot. */
export interface CheckedWorkflowFile {
  /** Absent where there are diagnostics. */
  readonly plan?: WorkflowPlan;
  /** Every mistake, in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * @param text YAML or JSON, at most 1 MiB
 * @param file its name for messages
 * @returns every mistake at once; never throws
 */
export function checkWorkflowFile(text: string, file: string): CheckedWorkflowFile {
  const { root, diagnostics } = readDocument(text, file, { aliases: true });
  if (!root) return { diagnostics };
  const judged = validate(workflowFileSchema, root);
  const all = [...judged.diagnostics, ...new Judge(root).judge()];
  if (all.length > 0 || !judged.value) return { diagnostics: sortDiagnostics(all) };
  return { plan: planJobs(judged.value, root), diagnostics: [] };
}

/** What the schema cannot know. Looks at documents that it refuses, too, so that everything is said at once. */
class Judge {
  readonly #root: Located;
  readonly #found: Diagnostic[] = [];

  constructor(root: Located) {
    this.#root = root;
  }

  judge(): readonly Diagnostic[] {
    this.#environment(['env']);
    const jobs = this.#keys(['jobs']);
    if (nodeAt(this.#root, ['jobs'])?.kind === 'map' && jobs.length === 0)
      this.#complain(['jobs'], 'there is no job');
    this.#atMost(['jobs'], jobs, MAX_JOBS);
    for (const job of jobs.slice(0, MAX_JOBS)) {
      const path = ['jobs', job];
      this.#name(path, ID, ID_WORDS);
      this.#container([...path, 'container']);
      const services = this.#keys([...path, 'services']);
      this.#atMost([...path, 'services'], services, MAX_SERVICES);
      for (const service of services.slice(0, MAX_SERVICES)) {
        this.#name([...path, 'services', service], ID, ID_WORDS);
        this.#container([...path, 'services', service]);
      }
    }
    if (jobs.length <= MAX_JOBS) this.#needs(jobs);
    return this.#found;
  }

  #container(path: Path): void {
    this.#environment([...path, 'env']);
    const volumes = nodeAt(this.#root, [...path, 'volumes']);
    if (volumes?.kind !== 'list') return;
    const texts = volumes.items.map((item) =>
      item.kind === 'scalar' && typeof item.value === 'string' ? item.value : '',
    );
    for (const [index, why] of findConflicts(texts)) this.#complain([...path, 'volumes', index], why);
  }

  #environment(path: Path): void {
    for (const name of this.#keys(path)) {
      this.#name([...path, name], VARIABLE, VARIABLE_WORDS);
      const value = nodeAt(this.#root, [...path, name]);
      if (name === 'iguana' && value?.kind === 'scalar' && value.value !== 'true')
        this.#complain([...path, name], 'it is always true; leave it out');
    }
  }

  #needs(jobs: readonly string[]): void {
    const needs = new Map(jobs.map((job) => [job, [...new Set(this.#needsOf(job, jobs))]]));
    for (const circle of orderJobs(needs).circles) {
      const shown = circle.map((job) => describeText(job)).join(' needs ');
      this.#complain(['jobs', circle.at(-2) ?? '', 'needs'], `jobs need each other in a circle: ${shown}`);
    }
  }

  #needsOf(job: string, jobs: readonly string[]): readonly string[] {
    const path = ['jobs', job, 'needs'];
    const node = nodeAt(this.#root, path);
    const items = node?.kind === 'list' ? node.items : node?.kind === 'scalar' ? [node] : [];
    return items.flatMap((item, index) => {
      if (item.kind !== 'scalar' || typeof item.value !== 'string') return [];
      if (jobs.includes(item.value)) return [item.value];
      const suggestion = nearest(item.value, jobs);
      this.#complain(node?.kind === 'list' ? [...path, index] : path, 'there is no such job', {
        found: describeText(item.value),
        ...(suggestion !== undefined && { suggestion }),
      });
      return [];
    });
  }

  /** Judges the last key of a path. */
  #name(path: Path, pattern: RegExp, allowed: string): void {
    const name = String(path.at(-1));
    if (pattern.test(name)) return;
    this.#found.push({
      kind: 'ProfileInvalid',
      ...keyPositionAt(this.#root, path.slice(0, -1), name),
      path: formatPath(path.slice(0, -1)),
      message: 'not a name',
      found: describeText(name),
      allowed,
    });
  }

  #atMost(path: Path, keys: readonly string[], limit: number): void {
    if (keys.length > limit) this.#complain(path, 'too many', { allowed: `at most ${limit}` });
  }

  #keys(path: Path): readonly string[] {
    const node = nodeAt(this.#root, path);
    return node?.kind === 'map' ? [...node.entries.keys()] : [];
  }

  #complain(
    path: Path,
    message: string,
    more: Pick<Diagnostic, 'found' | 'allowed' | 'suggestion'> = {},
  ): void {
    const found = describeFound(this.#root, path);
    this.#found.push(
      diagnose(this.#root, path, 'ProfileInvalid', message, {
        ...(found !== undefined && { found }),
        ...more,
      }),
    );
  }
}
