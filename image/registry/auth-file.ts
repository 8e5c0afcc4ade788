/** Credentials for registries from the files of podman, skopeo and Docker (containers-auth.json(5)). */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { errorCode } from '../io-error.ts';
import { askHelper } from './credential-helper.ts';
import { BadCredentials, type Credentials } from './credentials.ts';

const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});

const fileSchema = z.object({
  auths: z.record(z.string(), entrySchema).optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});

/** Where credentials are looked for. */
export interface AuthOptions {
  /** Only this file, which must exist. */
  readonly authFile?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * The credentials for a repository: those of the most specific entry, in the first file that has one.
 * @param host with its port, e.g. `registry.example:5000`
 * @returns undefined where no file has any
 * @throws BadCredentials
 */
export async function findCredentials(
  host: string,
  repository: string,
  { authFile, env = process.env }: AuthOptions = {},
): Promise<Credentials | undefined> {
  const named = authFile ?? env.REGISTRY_AUTH_FILE;
  for (const path of named ? [named] : usualFiles(env)) {
    const file = await readAuthFile(path, { required: named !== undefined });
    const found = file && (await credentialsIn(path, file, { host, repository, env }));
    if (found) return found;
  }
  return undefined;
}

/** In the order in which containers/image reads them. */
function usualFiles(env: NodeJS.ProcessEnv): readonly string[] {
  const home = env.HOME ?? homedir();
  const runtime = env.XDG_RUNTIME_DIR
    ? join(env.XDG_RUNTIME_DIR, 'containers/auth.json')
    : `/run/containers/${process.getuid?.() ?? 0}/auth.json`;
  return [
    runtime,
    join(env.XDG_CONFIG_HOME ?? join(home, '.config'), 'containers/auth.json'),
    join(env.DOCKER_CONFIG ?? join(home, '.docker'), 'config.json'),
  ];
}

async function readAuthFile(
  path: string,
  { required }: { required: boolean },
): Promise<z.infer<typeof fileSchema> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const isAbsent = errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR';
    if (isAbsent && !required) return undefined;
    throw new BadCredentials(`reading the credentials in ${path}: ${String(cause)}`, { cause });
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  // Neither the parser's words nor zod's are passed on: they quote what they read.
  if (!parsed.success) throw new BadCredentials(`reading the credentials in ${path}: it is no auth.json`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the schema.
    return undefined;
  }
}

async function credentialsIn(
  path: string,
  { auths = {}, credHelpers = {}, credsStore }: z.infer<typeof fileSchema>,
  { host, repository, env }: { host: string; repository: string; env: NodeJS.ProcessEnv },
): Promise<Credentials | undefined> {
  const helper = credHelpers[host];
  if (helper) return await askHelper(helper, host, env);
  const entries = new Map(Object.entries(auths).map(([key, entry]) => [normalised(key), entry]));
  for (const key of keysOf(host, repository)) {
    const entry = entries.get(key);
    const found = entry && credentialsOf(path, key, entry);
    if (found) return found;
  }
  return credsStore ? await askHelper(credsStore, host, env) : undefined;
}

/** `host/a/b`, `host/a`, `host`. */
function keysOf(host: string, repository: string): readonly string[] {
  const names = repository.split('/');
  const scoped = names.map((_, index) => [host, ...names.slice(0, names.length - index)].join('/'));
  return [...scoped, host];
}

/** Docker writes `https://HOST/v1/`, and Docker Hub under its oldest name. */
function normalised(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  return bare === 'index.docker.io' ? 'docker.io' : bare;
}

function credentialsOf(
  path: string,
  key: string,
  { auth, username, password, identitytoken, registrytoken }: z.infer<typeof entrySchema>,
): Credentials | undefined {
  if (registrytoken) return { kind: 'bearer', token: registrytoken };
  if (identitytoken) return { kind: 'identity', token: identitytoken };
  if (username && password) return { kind: 'password', username, password };
  // Docker leaves an empty entry where a helper has the secret.
  if (!auth) return undefined;
  const [, user, secret] = /^([^:]+):(.*)$/s.exec(Buffer.from(auth, 'base64').toString()) ?? [];
  if (user === undefined || secret === undefined) {
    throw new BadCredentials(
      `reading the credentials in ${path}: the entry \`${key}\` has no user and password`,
    );
  }
  return { kind: 'password', username: user, password: secret.replace(/\0+$/, '') };
}
