/** Errors as people see them: what, why, remedy. */
import { EXIT, type ExitCode } from './exit-codes.ts';

/** An error of which the command knows the exit status and the remedy. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly remedy: string | undefined;
  /** Facts for `--output json`, e.g. the list of wrong fields. */
  readonly details: unknown;

  /**
   * @param message what was being done, on what, and why it failed
   * @param options `exitCode` defaults to {@link EXIT.failure}
   */
  constructor(
    message: string,
    options: { exitCode?: ExitCode; remedy?: string; details?: unknown; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'CommandError';
    this.exitCode = options.exitCode ?? EXIT.failure;
    this.remedy = options.remedy;
    this.details = options.details;
  }
}

/** Wrong input: exit status 2, nothing was touched. */
export function usageError(
  message: string,
  options: { remedy?: string; details?: unknown; cause?: unknown } = {},
): CommandError {
  return new CommandError(message, { ...options, exitCode: EXIT.usage });
}

/** An error in the form in which it is shown and printed as JSON. */
export interface DescribedError {
  /** Name in the catalogue of failures, where it is one. */
  readonly type?: string;
  readonly message: string;
  /** Messages of the causes, outermost first, without the message itself. */
  readonly causes: readonly string[];
  readonly remedy?: string;
  readonly details?: unknown;
  readonly exitCode: ExitCode;
}

/** What an ApplicationFailure carries; recognised by shape, so that Temporal's packages are not loaded for it. */
interface Catalogued {
  readonly type?: string;
  readonly remedy?: string;
  readonly context?: unknown;
}

/** Temporal's own wrappers, which say only that something failed. */
const WRAPPERS = new Set([
  'WorkflowUpdateFailedError',
  'WorkflowFailedError',
  'ActivityFailure',
  'ChildWorkflowFailure',
]);

/** Describes an error with its whole chain of causes. */
export function describeError(error: unknown): DescribedError {
  const chain = chainOf(error);
  const told = chain.filter((link) => !(WRAPPERS.has(link.name) && link.cause !== undefined));
  const messages = messagesOf(told);
  const known = chain.find((link): link is CommandError => link instanceof CommandError);
  const catalogued = chain.map(cataloguedOf).find((entry) => entry.remedy !== undefined);
  const remedy = known?.remedy ?? catalogued?.remedy;
  const details = known?.details ?? catalogued?.context;
  return {
    ...(catalogued?.type && { type: catalogued.type }),
    message: messages[0] ?? String(error),
    causes: messages.slice(1),
    ...(remedy !== undefined && { remedy }),
    ...(details !== undefined && { details }),
    exitCode: known?.exitCode ?? EXIT.failure,
  };
}

/** An error and its causes, outermost first. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at: unknown = error; at instanceof Error && !chain.includes(at); at = at.cause) chain.push(at);
  return chain;
}

/** Without causes whose words stand in the message before them already. */
function messagesOf(chain: readonly Error[]): string[] {
  const messages: string[] = [];
  for (const link of chain) {
    const last = messages.at(-1);
    if (last === undefined || !wordsOf(link).every((words) => last.includes(words)))
      messages.push(messageOf(link));
  }
  return messages;
}

const isBare = (error: Error): error is AggregateError =>
  error.message === '' && error instanceof AggregateError;

const wordsOf = (error: Error): readonly string[] =>
  isBare(error)
    ? error.errors.map((each) => (each instanceof Error ? each.message : String(each)))
    : [messageOf(error)];

function messageOf(error: Error): string {
  // An AggregateError of a refused connection has no message, only errors.
  if (isBare(error)) return error.errors.map(String).join('; ');
  return error.message || error.name;
}

function cataloguedOf(error: Error): Catalogued {
  if (!('details' in error) || !Array.isArray(error.details)) return {};
  const [first]: unknown[] = error.details;
  if (typeof first !== 'object' || first === null || !('remedy' in first)) return {};
  return {
    ...('type' in error && typeof error.type === 'string' && { type: error.type }),
    remedy: String(first.remedy),
    ...('context' in first && { context: first.context }),
  };
}
