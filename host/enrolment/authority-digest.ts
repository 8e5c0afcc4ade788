/** By what machines know the gateways of this state folder. */
import { createHash, X509Certificate } from 'node:crypto';
import { readJsonFile } from '../json-file.ts';
import type { GatewayPaths } from './paths.ts';

/** @returns `sha256:` and the digest of the authority's certificate; undefined where no gateway has ever run */
export async function authorityDigest(paths: GatewayPaths): Promise<string | undefined> {
  const keys = await readJsonFile<{ certificate: string }>(paths.keys);
  if (!keys) return undefined;
  const { raw } = new X509Certificate(keys.certificate);
  return `sha256:${createHash('sha256').update(raw).digest('hex')}`;
}
