/** What an operator can say of a gateway, by its environment. */
import { hostname, networkInterfaces } from 'node:os';
import { z } from 'zod';
import { HOST_OF_GUESTS } from '../host/guest-network.ts';
import { type BootSettings, bootSettings, bootVariables } from './boot/settings.ts';
import type { GatewayOptions } from './gateway.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const HOUR_MS = 3_600_000;
/** All addresses: listened on, but no name of anything. */
const ANY: readonly string[] = ['0.0.0.0', '::'];

const count = (value: number) => z.coerce.number().int().min(1).default(value);

const schema = z.object({
  /** Where machines are served; other addresses than loopback only when told. */
  IGUANA_GATEWAY_HOST: z.string().min(1).default('127.0.0.1'),
  IGUANA_GATEWAY_PORT: z.coerce.number().int().min(0).max(65_535).default(7281),
  /** Names and addresses by which machines reach it, beside those of this host; separated by commas. */
  IGUANA_GATEWAY_NAMES: z.string().default(''),
  /** How long a machine's certificate is valid. */
  IGUANA_GATEWAY_CERTIFICATE_HOURS: z.coerce.number().positive().max(8_760).default(24),
  /** Machines without a token. */
  IGUANA_GATEWAY_UNKNOWN: z.enum(['refuse', 'wait']).default('refuse'),
  /** Keys of machines with a token, each time that one comes. */
  IGUANA_GATEWAY_APPROVAL: z.enum(['token', 'always']).default('token'),
  IGUANA_GATEWAY_MACHINE_CONNECTIONS: count(DEFAULT_LIMITS.machineConnections),
  IGUANA_GATEWAY_MACHINE_CALLS: count(DEFAULT_LIMITS.machineCalls),
  IGUANA_GATEWAY_MACHINE_CALLS_PER_SECOND: count(DEFAULT_LIMITS.machineCallsPerSecond),
  /** For sites whose machines all come from one address, behind a NAT. */
  IGUANA_GATEWAY_CONNECTIONS_PER_SECOND: count(DEFAULT_LIMITS.newConnectionsPerSecond),
  ...bootVariables,
});

/** The machines' endpoint, and the boot endpoint where one is wanted. */
type GatewaySettings = Pick<
  GatewayOptions,
  'host' | 'port' | 'names' | 'lifetimeMs' | 'policy' | 'limits'
> & {
  readonly boot: BootSettings | undefined;
};

/**
 * Reads the settings of the machines' endpoint and of the boot endpoint.
 * @throws Error naming every variable that is wrong
 */
export function gatewaySettings(env: NodeJS.ProcessEnv): GatewaySettings {
  const parsed = schema.safeParse(env);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new Error(`reading the settings of the gateway: ${issues.join('; ')}`);
  }
  const it = parsed.data;
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
  const said = it.IGUANA_GATEWAY_NAMES.split(',').map((name) => name.trim());
  const names = [...said, it.IGUANA_GATEWAY_HOST, hostname(), 'localhost', HOST_OF_GUESTS, ...own];
  return {
    boot: bootSettings(it),
    host: it.IGUANA_GATEWAY_HOST,
    port: it.IGUANA_GATEWAY_PORT,
    names: [...new Set(names)].filter((name) => name !== '' && !ANY.includes(name)),
    lifetimeMs: it.IGUANA_GATEWAY_CERTIFICATE_HOURS * HOUR_MS,
    policy: { unknown: it.IGUANA_GATEWAY_UNKNOWN, approval: it.IGUANA_GATEWAY_APPROVAL },
    limits: {
      ...DEFAULT_LIMITS,
      machineConnections: it.IGUANA_GATEWAY_MACHINE_CONNECTIONS,
      machineCalls: it.IGUANA_GATEWAY_MACHINE_CALLS,
      machineCallsPerSecond: it.IGUANA_GATEWAY_MACHINE_CALLS_PER_SECOND,
      newConnectionsPerSecond: it.IGUANA_GATEWAY_CONNECTIONS_PER_SECOND,
    },
  };
}
