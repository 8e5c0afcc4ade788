/** The shell on a machine's console, which is there with `iguana.debug` only. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VirtualMachine } from './virtual-machine.ts';

const POLL_MS = 500;
/** What was typed before there was a shell is lost. */
const POLLS_UNTIL_AGAIN = 20;

/** Only a shell makes {@link ROOT_ANSWERS} of it: the console also shows what is typed. */
export const WHO = 'echo "a shell of $(id -u): $((6 * 7))"';
export const ROOT_ANSWERS = 'a shell of 0: 42';

/** Has the shell do something, and waits for what it says; types again until there is a shell. @returns all that was said since the start */
export async function askShell(machine: VirtualMachine, line: string, answer: RegExp): Promise<string> {
  for (let polls = 0; ; polls++) {
    machine.requireRunnable();
    if (polls % POLLS_UNTIL_AGAIN === 0) await machine.type(line);
    const said = await machine.consoleSinceStart();
    if (answer.test(said)) return said;
    await sleep(POLL_MS);
  }
}
