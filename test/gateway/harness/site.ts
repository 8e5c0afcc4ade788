/** Gateways of a test: real ones, on one state folder, and what machines need to speak with them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { type Gateway, type GatewayOptions, startGateway } from '../../../gateway/gateway.ts';
import { DEFAULT_LIMITS } from '../../../gateway/limits.ts';
import type { EnrolAnswer } from '../../../host/enrolment/api.ts';
import { type GatewayPaths, gatewayPaths } from '../../../host/enrolment/paths.ts';
import { createToken, type TokenOptions } from '../../../host/enrolment/tokens.ts';
import { signingRequest } from '../../../worker/enrolment/signing-request.ts';
import { Https } from './https.ts';

/** Settings of a gateway that a test changes. */
export type GatewayChanges = Partial<
  Pick<GatewayOptions, 'port' | 'names' | 'policy' | 'lifetimeMs' | 'limits' | 'namespace' | 'root'>
>;

/** A machine that has a certificate. */
export interface EnrolledMachine {
  readonly id: string;
  readonly key: KeyObject;
  /** PEM. */
  readonly keyPem: string;
  readonly certificate: string;
}

/** @returns a UUID that is the same for the same number */
export const machineIdOf = (n: number): string =>
  `5a5a0000-1111-4222-8333-${n.toString(16).padStart(12, '0')}`;
/** @returns a MAC address that is the same for the same number */
export const macOf = (n: number): string =>
  `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
/** A key as machines make it. */
export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** One state folder with its gateways. */
export class GatewaySite {
  readonly root = mkdtempSync(join(tmpdir(), 'iguana-gateway-'));
  readonly paths: GatewayPaths = gatewayPaths({ root: this.root });
  readonly store = join(this.root, 'store');
  readonly secrets = join(this.root, 'secrets');
  /** Every line of the gateways' logs. */
  readonly log: Record<string, unknown>[] = [];
  readonly #connection: Connection;
  readonly #gateways = new Set<Gateway>();

  /** @param address of Temporal; none for tests that need none */
  constructor(address = '127.0.0.1:1') {
    this.#connection = Connection.lazy({ address, interceptors: [] });
  }

  /** Starts a gateway on any port. */
  async start(changes: GatewayChanges = {}): Promise<Gateway> {
    const gateway = await startGateway({
      paths: this.paths,
      root: this.root,
      store: this.store,
      secrets: this.secrets,
      host: '127.0.0.1',
      port: 0,
      names: ['localhost'],
      policy: { unknown: 'refuse', approval: 'token' },
      lifetimeMs: 3_600_000,
      limits: DEFAULT_LIMITS,
      connection: this.#connection,
      namespace: 'default',
      logger: pino({ level: 'info' }, { write: (line: string) => void this.log.push(JSON.parse(line)) }),
      ...changes,
    });
    this.#gateways.add(gateway);
    return gateway;
  }

  async stop(gateway: Gateway): Promise<void> {
    this.#gateways.delete(gateway);
    await gateway.close();
  }

  async token(options: Partial<TokenOptions> = {}): Promise<string> {
    return (await createToken(this.paths, { name: 'test', ...options })).token;
  }

  /** A machine that has enrolled with a token of its own. */
  async machine(gateway: Gateway, n: number, key: KeyObject = newKey()): Promise<EnrolledMachine> {
    const id = machineIdOf(n);
    using https = new Https(gateway);
    const { status, body } = await https.post<EnrolAnswer>('/v1/enrol', {
      csr: signingRequest(key),
      token: await this.token(),
      identity: { uuid: id, macs: [macOf(n)] },
    });
    if (status !== 200) throw new Error(`enrolling machine ${n}: ${JSON.stringify(body)}`);
    const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { id, key, keyPem, certificate: body.certificate };
  }

  /** What was refused to a machine: `method reason`, each once. */
  denials(machine: string): string[] {
    const lines = this.log.filter((line) => line.msg === 'denied' && line.machine === machine);
    return lines.map(({ method, reason }) => `${String(method)} ${String(reason)}`);
  }

  async remove(): Promise<void> {
    for (const gateway of this.#gateways) await gateway.close();
    await this.#connection.close();
    await rm(this.root, { recursive: true, force: true });
  }
}
