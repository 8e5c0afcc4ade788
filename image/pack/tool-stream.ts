/** The standard output of a tool, whole or not at all. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BadInput } from './bad-input.ts';

/** Of a tool's words, the end. */
const KEPT_CHARACTERS = 500;

/**
 * Runs a tool and gives what it writes.
 * @param doing for messages: `decompressing disk.img.zst`
 * @throws BadInput with the tool's words, where it fails: what came before is not to be used
 */
export async function* toolOutput(
  doing: string,
  [tool, ...args]: readonly [string, ...string[]],
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  // Awaited at the end of the output; a tool that is not there fails before.
  ended.catch(() => undefined);
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-KEPT_CHARACTERS);
  });
  try {
    for await (const piece of child.stdout) {
      signal?.throwIfAborted();
      yield piece as Buffer;
    }
    const [status, how] = await ended.catch((cause: unknown) => {
      throw new BadInput(`${doing}: ${tool} cannot be run`, { cause });
    });
    if (status !== 0)
      throw new BadInput(
        `${doing}: ${tool} ended with ${how ?? `status ${status}`}: ${words.trim() || 'no word'}`,
      );
  } finally {
    // Whoever stopped reading leaves no tool behind.
    child.kill();
    await ended.catch(() => undefined);
  }
}
