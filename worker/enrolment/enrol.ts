/** Enrolling: for as long as it takes, and saying why it takes long. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { EnrolAnswer } from '../../host/enrolment/api.ts';
import { touchAlive } from './alive.ts';
import {
  type ClientCertificate,
  fetchAuthority,
  isNetworkAway,
  renewCertificate,
  requestCertificate,
} from './gateway-client.ts';
import { bootId, machineIdentity, machineKey, readToken, refusedAgents } from './identity.ts';
import type { EnrolmentSettings } from './settings.ts';
import { signingRequest } from './signing-request.ts';

/** First and longest wait after a failure; doubled each time. */
const RETRY_MS = { first: 1_000, longest: 60_000 };
/** The agent starts beside the network: as long as a cable, a switch and a DHCP server may take is no failure. */
const NETWORK = { pollMs: 250, patienceMs: 30_000 };

/** A machine that may speak with Temporal. */
export interface Enrolled {
  readonly machineId: string;
  readonly namespace: string;
  /** The authority's certificate, PEM. */
  readonly ca: string;
  readonly client: ClientCertificate;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/**
 * Enrols this machine. Whatever fails, a refusal too, is tried again: an operator can change what the gateway says, and
 * nobody stands before the machine to start it again.
 * @param signal gives up
 */
export async function enrolMachine(
  settings: EnrolmentSettings,
  logger: Logger,
  signal: AbortSignal,
): Promise<Enrolled> {
  let wait = RETRY_MS.first;
  const since = performance.now();
  let hasSaid = false;
  logger.info(`enrolling at ${settings.gateway.origin}`);
  for (;;) {
    signal.throwIfAborted();
    try {
      const key = await machineKey(settings.folder);
      const ca = await fetchAuthority(settings);
      const token = await readToken(settings.tokenFile);
      const refused = await refusedAgents(settings.refusedFile);
      const answer = await requestCertificate(settings, ca, {
        csr: signingRequest(key),
        identity: await machineIdentity(),
        bootId: await bootId(),
        ...(refused.length > 0 && { refused }),
        ...(token && { token }),
      });
      // A machine that waits for an operator is not lost.
      await touchAlive(settings.aliveFile);
      if ('certificate' in answer) {
        logger.info({ machineId: answer.machineId, expiresAt: answer.expiresAt }, 'enrolled');
        return enrolled(answer, ca, key.export({ type: 'pkcs8', format: 'pem' }).toString());
      }
      const { machineId, keyDigest, reason, message, retryAfterSeconds } = answer;
      logger.warn({ machineId, keyDigest, reason }, `waiting to be let in: ${message}`);
      wait = RETRY_MS.first;
      await sleep(retryAfterSeconds * 1_000, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (isNetworkAway(error) && performance.now() - since < NETWORK.patienceMs) {
        if (!hasSaid) logger.info('waiting for the network');
        hasSaid = true;
        await sleep(NETWORK.pollMs, undefined, { signal });
        continue;
      }
      logger.warn({ err: error, wait }, `enrolling at ${settings.gateway.origin} failed; trying again`);
      await sleep(wait, undefined, { signal });
      wait = Math.min(wait * 2, RETRY_MS.longest);
    }
  }
}

/** The next certificate, by the present one. @throws GatewayRefused, or Error where the gateway does not answer */
export async function renewMachine(settings: EnrolmentSettings, present: Enrolled): Promise<Enrolled> {
  const csr = signingRequest(await machineKey(settings.folder));
  return enrolled(
    await renewCertificate(settings, present.ca, present.client, csr),
    present.ca,
    present.client.key,
  );
}

function enrolled(answer: EnrolAnswer, ca: string, key: string): Enrolled {
  return {
    machineId: answer.machineId,
    namespace: answer.temporal.namespace,
    ca,
    client: { cert: answer.certificate, key },
    issuedAt: Date.now(),
    expiresAt: Date.parse(answer.expiresAt),
  };
}
