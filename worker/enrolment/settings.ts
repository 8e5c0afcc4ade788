/** What the boot image tells the agent of its gateway. */

/** @see enrolmentSettings */
export interface EnrolmentSettings {
  readonly gateway: URL;
  /** `sha256:` and the digest of the authority's certificate. */
  readonly caDigest: string;
  /** Absent where the machine has no token, and waits for an operator. */
  readonly tokenFile?: string;
  /** Where the key is kept. */
  readonly folder: string;
  /** Touched while there is contact; absent where no watchdog looks. */
  readonly aliveFile?: string;
  /** What was refused before this agent was run, a line each; absent where nothing is pulled. */
  readonly refusedFile?: string;
}

/** In memory: a machine that boots from the network has nothing else. */
const DEFAULT_FOLDER = '/run/iguana/identity';

/**
 * Reads `IGUANA_GATEWAY` (https://HOST:PORT), `IGUANA_CA_DIGEST`, `IGUANA_TOKEN_FILE`, `IGUANA_IDENTITY_DIR`,
 * `IGUANA_ALIVE_FILE` and `IGUANA_REFUSED_FILE`.
 * @returns undefined where no gateway is named: the agent connects to Temporal itself
 * @throws Error naming what is wrong
 */
export function enrolmentSettings(env: NodeJS.ProcessEnv): EnrolmentSettings | undefined {
  const { IGUANA_GATEWAY: address, IGUANA_CA_DIGEST: digest, IGUANA_TOKEN_FILE: tokenFile } = env;
  if (!address) return undefined;
  const gateway = URL.parse(address);
  if (gateway?.protocol !== 'https:') {
    throw new Error(`reading IGUANA_GATEWAY: ${address} is no address like https://gateway.example:7281`);
  }
  const hex = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(digest ?? '')?.[1];
  if (!hex) {
    throw new Error(
      'reading IGUANA_CA_DIGEST: it has to be sha256: and 64 hex digits, which the gateway says in its log when it starts; without it ' +
        'the agent would trust whoever answers',
    );
  }
  return {
    gateway,
    caDigest: `sha256:${hex.toLowerCase()}`,
    ...(tokenFile && { tokenFile }),
    folder: env.IGUANA_IDENTITY_DIR ?? DEFAULT_FOLDER,
    ...(env.IGUANA_ALIVE_FILE && { aliveFile: env.IGUANA_ALIVE_FILE }),
    ...(env.IGUANA_REFUSED_FILE && { refusedFile: env.IGUANA_REFUSED_FILE }),
  };
}
