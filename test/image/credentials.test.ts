/** Which credentials are found, in the files of podman, skopeo and Docker, and of credential helpers. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCredentials } from '../../image/registry/auth-file.ts';
import { BadCredentials } from '../../image/registry/credentials.ts';
import { folderWith } from './servers/folder.ts';

const HOST = 'r.example:5000';
const entry = (user: string) => ({ auth: Buffer.from(`${user}:s3cret`).toString('base64') });
const password = (username: string) => ({ kind: 'password', username, password: 's3cret' });

/** An environment whose usual files have these contents, by their paths below one folder. */
function environment(files: Readonly<Record<string, unknown>>): NodeJS.ProcessEnv {
  const root = folderWith();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return {
    HOME: join(root, 'home'),
    XDG_RUNTIME_DIR: join(root, 'run'),
    PATH: `${root}/bin${delimiter}${process.env.PATH}`,
  };
}

const find = (env: NodeJS.ProcessEnv, repository = 'os/web') => findCredentials(HOST, repository, { env });

describe('credentials', () => {
  it('are those of the most specific entry', async () => {
    const auths = { [`${HOST}/os/web`]: entry('web'), [`${HOST}/os`]: entry('os'), [HOST]: entry('host') };
    const env = environment({ 'run/containers/auth.json': { auths } });
    expect(await find(env)).toEqual(password('web'));
    expect(await find(env, 'os/db')).toEqual(password('os'));
    expect(await find(env, 'other')).toEqual(password('host'));
  });

  it('are those of the first file that has some', async () => {
    const docker = { 'home/.docker/config.json': { auths: { [`https://${HOST}/v1/`]: entry('docker') } } };
    const config = { 'home/.config/containers/auth.json': { auths: { [HOST]: entry('config') } } };
    const runtime = { 'run/containers/auth.json': { auths: { 'other.example': entry('other') } } };
    expect(await find(environment({ ...docker, ...config, ...runtime }))).toEqual(password('config'));
    expect(await find(environment({ ...docker, ...runtime }))).toEqual(password('docker'));
    expect(await find(environment(runtime))).toBeUndefined();
    expect(await find(environment({}))).toBeUndefined();
  });

  it('are found under the old name of Docker Hub', async () => {
    const env = environment({
      'home/.docker/config.json': { auths: { 'https://index.docker.io/v1/': entry('hub') } },
    });
    expect(await findCredentials('docker.io', 'library/debian', { env })).toEqual(password('hub'));
  });

  it('may be tokens', async () => {
    const tokens = { [HOST]: { identitytoken: 'i' }, [`${HOST}/os`]: { registrytoken: 'b' } };
    const env = environment({ 'run/containers/auth.json': { auths: tokens } });
    expect(await find(env)).toEqual({ kind: 'bearer', token: 'b' });
    expect(await find(env, 'other')).toEqual({ kind: 'identity', token: 'i' });
  });

  it('are only those of the file that is named, and it must be there', async () => {
    const env = environment({ 'run/containers/auth.json': { auths: { [HOST]: entry('usual') } } });
    const folder = folderWith({ 'mine.json': JSON.stringify({ auths: { [HOST]: entry('mine') } }) });
    const named = { ...env, REGISTRY_AUTH_FILE: join(folder, 'mine.json') };
    expect(await find(named)).toEqual(password('mine'));
    await expect(find({ ...env, REGISTRY_AUTH_FILE: join(folder, 'no.json') })).rejects.toThrow(
      BadCredentials,
    );
  });

  it.each([
    ['no JSON', '{"auths": {"r.example:5000": {"auth": "s3cret"'],
    ['no auth.json', '{"auths": "s3cret"}'],
    ['no user', JSON.stringify({ auths: { [HOST]: { auth: Buffer.from('s3cret').toString('base64') } } })],
  ])('in a file that holds %s are an error that shows none of it', async (_what, content) => {
    const error = await find(environment({ 'run/containers/auth.json': content })).catch(
      (failure: unknown) => failure,
    );
    if (!(error instanceof BadCredentials)) throw error;
    expect(`${error.stack} ${String(error.cause)}`).not.toContain('s3cret');
    expect(error.message).toContain('run/containers/auth.json');
  });
});

describe('a credential helper', () => {
  const withHelper = (script: string) => {
    const env = environment({
      'home/.docker/config.json': { credHelpers: { [HOST]: 'test' } },
      'bin/docker-credential-test': `#!/bin/sh\n${script}\n`,
    });
    chmodSync(join(env.HOME ?? '', '../bin/docker-credential-test'), 0o755);
    return env;
  };

  it('is asked for the host', async () => {
    const env = withHelper('read host; printf \'{"Username":"%s-%s","Secret":"s3cret"}\' "$1" "$host"');
    expect(await find(env)).toEqual(password(`get-${HOST}`));
  });

  it('may give a token, or nothing', async () => {
    const token = withHelper('echo \'{"Username":"<token>","Secret":"t"}\'');
    expect(await find(token)).toEqual({ kind: 'identity', token: 't' });
    expect(await find(withHelper('echo "credentials not found in native keychain"; exit 1'))).toBeUndefined();
  });

  it.each(['echo s3cret >&2; exit 7', 'echo s3cret'])(
    'that fails (`%s`) is named, and what it said is not shown',
    async (script) => {
      const error = await find(withHelper(script)).catch((failure: unknown) => failure);
      if (!(error instanceof BadCredentials)) throw error;
      expect(error.message).toContain('docker-credential-test');
      expect(`${error.stack} ${String(error.cause)}`).not.toContain('s3cret');
    },
  );
});
