/** The token of the codec endpoint: who has it may have payloads decrypted. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '../json-file.ts';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import { codecFolder } from './keys.ts';

const TOKEN_BYTES = 32;

interface TokenFile {
  readonly token: string;
}

const tokenFile = (paths: Pick<StatePaths, 'root'>): string => join(codecFolder(paths), 'token.json');

/** The token of a state folder; makes it where there is none. In base64url, so that it can be a part of an address. */
export async function codecToken(paths: Pick<StatePaths, 'root'>): Promise<string> {
  const known = await readJsonFile<TokenFile>(tokenFile(paths));
  return known?.token ?? (await withLock(join(codecFolder(paths), 'lock'), () => made(paths)));
}

/** Makes another token; the one before opens nothing any more, at once. */
export async function replaceCodecToken(paths: Pick<StatePaths, 'root'>): Promise<string> {
  return await withLock(join(codecFolder(paths), 'lock'), () => write(paths));
}

/** @returns whether a text is the token */
export async function isCodecToken(paths: Pick<StatePaths, 'root'>, text: string): Promise<boolean> {
  // Digests, since the comparison wants equal lengths.
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(text), digest(await codecToken(paths)));
}

async function made(paths: Pick<StatePaths, 'root'>): Promise<string> {
  return (await readJsonFile<TokenFile>(tokenFile(paths)))?.token ?? (await write(paths));
}

async function write(paths: Pick<StatePaths, 'root'>): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await writeJsonFile(tokenFile(paths), { token }, 0o600);
  return token;
}
