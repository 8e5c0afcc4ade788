/** Log lines in words, for the console of a machine: whoever stands before it reads no JSON. */
import type { DestinationStream } from 'pino';

/** Levels of pino's. */
const WARN = 40;
const ERROR = 50;

/** As pino writes errors. */
interface LoggedError {
  readonly message: string;
  readonly cause?: LoggedError;
}

interface Line {
  readonly level: number;
  readonly msg?: string;
  readonly err?: LoggedError;
  /** Temporal's own lines name the part that they come from; short of errors they are for developers. */
  readonly sdkComponent?: string;
}

/** @returns the words for a line of pino's; undefined where it has nothing for people */
export function wordsOf(json: string): string | undefined {
  const { level, msg, err, sdkComponent } = JSON.parse(json) as Line;
  if (sdkComponent !== undefined && level < ERROR) return undefined;
  const prefix = level >= ERROR ? 'error: ' : level >= WARN ? 'warning: ' : '';
  return `${prefix}${[msg, ...messagesOf(err)].filter(Boolean).join(': ')}`;
}

/** Outermost first, without those that the one before has told already. */
function messagesOf(err: LoggedError | undefined): readonly string[] {
  const messages: string[] = [];
  for (let at = err; at; at = at.cause) if (!messages.at(-1)?.includes(at.message)) messages.push(at.message);
  return messages;
}

/** Where pino shall write when people read it: standard output, in words. */
export const wordsDestination: DestinationStream = {
  write(json) {
    const words = wordsOf(json);
    if (words !== undefined) process.stdout.write(`${words}\n`);
  },
};
