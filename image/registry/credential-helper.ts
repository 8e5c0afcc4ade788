/** Docker's credential helpers: programs `docker-credential-NAME` that know secrets. */
import { execa } from 'execa';
import { z } from 'zod';
import { BadCredentials, type Credentials } from './credentials.ts';

const answerSchema = z.object({ Username: z.string(), Secret: z.string() });

/** With this user name the secret is an identity token. */
const TOKEN_USER = '<token>';

/** What a helper says when it has nothing for a host (docker-credential-helpers). */
const NOTHING = /credentials not found/i;

/**
 * @returns undefined where the helper has nothing for the host
 * @throws BadCredentials
 */
export async function askHelper(
  name: string,
  host: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name))
    throw new BadCredentials('asking a credential helper: its name is no file name');
  const doing = `asking ${program} for the credentials of ${host}`;
  const { stdout, failed, code, exitCode, timedOut } = await execa(program, ['get'], {
    input: host,
    env,
    reject: false,
    timeout: 30_000,
  });
  if (failed) {
    if (NOTHING.test(stdout)) return undefined;
    throw new BadCredentials(`${doing}: ${timedOut ? 'no answer' : (code ?? `exit status ${exitCode}`)}`);
  }
  const parsed = answerSchema.safeParse(parse(stdout));
  if (!parsed.success) throw new BadCredentials(`${doing}: the answer is no JSON with Username and Secret`);
  const { Username: username, Secret: secret } = parsed.data;
  return username === TOKEN_USER
    ? { kind: 'identity', token: secret }
    : { kind: 'password', username, password: secret };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the schema; the parser's message would quote the secret.
    return undefined;
  }
}
