/** Secrets of this machine, from its gateway: over a connection that only this machine can have, and kept nowhere. */
import { GatewayRefused, requestSecret } from './gateway-client.ts';
import type { EnrolmentSettings } from './settings.ts';
import { readTlsFiles } from './tls-files.ts';

/**
 * @returns undefined where there is none of this name
 * @throws GatewayRefused where the install of this machine does not name it; Error where the gateway does not answer
 */
export async function fetchSecret(settings: EnrolmentSettings, name: string): Promise<string | undefined> {
  const { ca, client } = await readTlsFiles(settings);
  try {
    return await requestSecret(settings, ca, client, name);
  } catch (error) {
    if (error instanceof GatewayRefused && error.status === 404) return undefined;
    throw error;
  }
}
