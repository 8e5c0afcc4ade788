/** Who gives a command: kept with every decision in the history. */
import { hostname, userInfo } from 'node:os';

/** `user@host`; behind sudo, the person who called it. */
export function person(env: NodeJS.ProcessEnv = process.env): string {
  return `${env.SUDO_USER ?? userInfo().username}@${hostname()}`;
}
