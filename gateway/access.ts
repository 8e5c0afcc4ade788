/** Whether whoever is at the other end of a connection may act as a machine: asked at every call, not once. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { findMachine, type MachineRecord } from '../host/enrolment/machines.ts';
import type { GatewayPaths } from '../host/enrolment/paths.ts';
import { type MachineCertificate, machineCertificate } from './authority/machine-certificate.ts';

/** The other end of a connection. */
export interface Peer {
  readonly address: string | undefined;
  /** Undefined without a certificate that the authority signed for a machine; an expired one counts. */
  readonly certificate?: MachineCertificate;
  /** Why there is none. */
  readonly problem?: 'no-certificate' | 'wrong-certificate';
}

/** Why a certificate is not enough. */
export type AccessProblem =
  | 'no-certificate'
  | 'wrong-certificate'
  | 'expired-certificate'
  | 'unknown-machine'
  | 'revoked-machine'
  | 'replaced-key';

/** A change by another process is seen after this time. */
const CACHED_MS = 1_000;

/** What TLS knows of the other end, after the handshake. */
export function peerOf(socket: TLSSocket, authority: X509Certificate): Peer {
  const address = socket.remoteAddress;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return { address, problem: 'no-certificate' };
  // An expired one is told from a wrong one: its owner has to know. It is refused by its date.
  // OpenSSL's name of the problem, where Node's types say Error.
  // It names the last problem only: a certificate that somebody else has signed may have expired as well.
  const isExpired =
    String(socket.authorizationError) === 'CERT_HAS_EXPIRED' &&
    certificate.checkIssued(authority) &&
    certificate.verify(authority.publicKey);
  const machine = socket.authorized || isExpired ? machineCertificate(certificate) : undefined;
  if (!machine) return { address, problem: 'wrong-certificate' };
  return { address, certificate: isExpired ? { ...machine, notAfter: 0 } : machine };
}

/** Answers who may act as which machine. */
export class MachineAccess {
  readonly #paths: GatewayPaths;
  readonly #cache = new Map<
    string,
    { readonly at: number; readonly record: Promise<MachineRecord | undefined> }
  >();

  constructor(paths: GatewayPaths) {
    this.#paths = paths;
  }

  /** @returns the machine's certificate, or why it is refused */
  async check({ certificate, problem }: Peer): Promise<MachineCertificate | AccessProblem> {
    if (!certificate) return problem ?? 'no-certificate';
    if (certificate.notAfter <= Date.now()) return 'expired-certificate';
    const record = await this.#record(certificate.machineId);
    if (!record) return 'unknown-machine';
    if (record.state === 'revoked') return 'revoked-machine';
    return record.keyDigest === certificate.keyDigest ? certificate : 'replaced-key';
  }

  /** What this process itself has changed is seen at once. */
  forget(machineId: string): void {
    this.#cache.delete(machineId);
  }

  /** Only ids from certificates of our authority come here, so there are as many as there are machines. */
  #record(machineId: string): Promise<MachineRecord | undefined> {
    const known = this.#cache.get(machineId);
    if (known && Date.now() - known.at < CACHED_MS) return known.record;
    const record = findMachine(this.#paths, machineId);
    this.#cache.set(machineId, { at: Date.now(), record });
    // A failed look must not be an answer for a second.
    record.catch(() => this.#cache.delete(machineId));
    return record;
  }
}

/** What a machine is told that is refused. */
export const ACCESS_MESSAGES: Readonly<Record<AccessProblem, string>> = {
  'no-certificate': 'no certificate was shown; enrol first',
  'wrong-certificate': 'the certificate is not one that this gateway gave to a machine; enrol again',
  'expired-certificate': 'the certificate has expired; enrol again',
  'unknown-machine': 'no machine of this name has enrolled here; enrol again',
  'revoked-machine': 'this machine has been locked out by an operator',
  'replaced-key': 'this machine has enrolled with another key since; enrol again',
};
