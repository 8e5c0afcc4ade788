/** Tokens: with one of these a machine may enrol. What is stored is a token's digest, so that who reads it cannot use it. */
import { createHash, randomBytes } from 'node:crypto';
import { changing } from './changes.ts';
import type { GatewayPaths } from './paths.ts';
import { readRecord, readRecords, writeRecord } from './records.ts';

/** What is kept of a token. */
export interface TokenRecord {
  /** SHA-256 of the token, hex. */
  readonly digest: string;
  /** For people. */
  readonly name: string;
  readonly createdAt: string;
  /** ISO 8601; after it the token enrols nobody, not even who used it before. */
  readonly expiresAt: string;
  /** How many machines may enrol with it. */
  readonly uses: number;
  /** The machines that did. */
  readonly usedBy: readonly string[];
  /** The only machine that may use it; any, where absent. */
  readonly machineId?: string;
  /** Every key waits for an operator: of a new machine, and of one that comes back with another key. */
  readonly needsApproval?: boolean;
  /**
   * Of a token for several machines: whether one that comes back with another key, as after every reboot from memory, is let in
   * without an operator. Then whoever has the token can say that it is one of those machines while that one is off.
   */
  readonly trustsMembers?: boolean;
  readonly revokedAt?: string;
}

/** What a new token shall be. */
export interface TokenOptions {
  readonly name: string;
  /** Default 1: a one-time token. */
  readonly uses?: number;
  /** Default 24 hours. */
  readonly lifetimeMs?: number;
  readonly machineId?: string;
  readonly needsApproval?: boolean;
  readonly trustsMembers?: boolean;
}

const DEFAULT_LIFETIME_MS = 24 * 3_600_000;
/** 256 bits: nobody guesses them, so a plain hash keeps them. */
const TOKEN_BYTES = 32;

/** @returns SHA-256 of a token, as records name it */
export const tokenDigest = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Makes a token. It is told once, here. */
export async function createToken(
  paths: GatewayPaths,
  options: TokenOptions,
): Promise<{ token: string; record: TokenRecord }> {
  const { name, uses = 1, lifetimeMs = DEFAULT_LIFETIME_MS, ...rest } = options;
  if (!Number.isSafeInteger(uses) || uses < 1) {
    throw new Error(`making token ${name}: it can be used ${uses} times; say a whole number from 1`);
  }
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const now = Date.now();
  const record: TokenRecord = {
    digest: tokenDigest(token),
    name,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + lifetimeMs).toISOString(),
    uses,
    usedBy: [],
    ...rest,
  };
  await writeToken(paths, record);
  return { token, record };
}

/** All tokens, also those that can no longer be used. */
export const listTokens = (paths: GatewayPaths): Promise<TokenRecord[]> =>
  readRecords<TokenRecord>(paths.tokens);

/** @returns undefined where there is no such token */
export const findToken = (paths: GatewayPaths, digest: string): Promise<TokenRecord | undefined> =>
  readRecord<TokenRecord>(paths.tokens, `${digest}.json`);

/** Only while {@link changing}, or for a token that nobody knows yet. */
export const writeToken = (paths: GatewayPaths, record: TokenRecord): Promise<void> =>
  writeRecord(paths.tokens, `${record.digest}.json`, record);

/**
 * Makes a token useless. Machines that enrolled with it keep their certificates, and may renew them.
 * @param which its name, or the beginning of its digest
 * @throws Error where that is no token's, or several tokens'
 */
export async function revokeToken(paths: GatewayPaths, which: string): Promise<TokenRecord> {
  return await changing(paths, async () => {
    const matches = (await listTokens(paths)).filter(
      ({ name, digest }) => name === which || (which.length >= 8 && digest.startsWith(which)),
    );
    const [token] = matches;
    if (!token || matches.length > 1) {
      const why = token ? `${matches.length} tokens are called that` : 'there is none';
      throw new Error(`revoking token ${which}: ${why}; say the beginning of its digest`);
    }
    const revoked = { ...token, revokedAt: token.revokedAt ?? new Date().toISOString() };
    await writeToken(paths, revoked);
    return revoked;
  });
}
