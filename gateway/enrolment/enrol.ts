/** Enrolment and renewal: the decision, made while nobody else decides, and what follows from it. */
import type { EnrolAnswer, EnrolRequest, WaitReason } from '../../host/enrolment/api.ts';
import { changing } from '../../host/enrolment/changes.ts';
import {
  findMachine,
  lastSeen,
  type MachineRecord,
  markSeen,
  writeMachine,
} from '../../host/enrolment/machines.ts';
import type { GatewayPaths } from '../../host/enrolment/paths.ts';
import { addPending, type NoPlace, removePending, whyNoPlace } from '../../host/enrolment/pending.ts';
import { findToken, type TokenRecord, tokenDigest, writeToken } from '../../host/enrolment/tokens.ts';
import { machineIdOf } from '../../host/machine-id.ts';
import { machineQueue } from '../../workflows/api.ts';
import type { Authority } from '../authority/authority.ts';
import {
  BadRequest,
  MACHINE_ID,
  type MachineCertificate,
  type VerifiedRequest,
  verifyRequest,
} from '../authority/machine-certificate.ts';
import { type Decision, decide, type EnrolmentPolicy } from './decide.ts';

/** What enrolment needs. */
export interface EnrolmentOptions {
  readonly paths: GatewayPaths;
  readonly authority: Authority;
  readonly policy: EnrolmentPolicy;
  readonly namespace: string;
  /** How long a machine's certificate is valid. */
  readonly lifetimeMs: number;
}

/** What came of a request. */
export type Enrolment =
  | { readonly kind: 'issued'; readonly because: string; readonly answer: EnrolAnswer }
  | {
      readonly kind: 'waits';
      readonly machineId: string;
      readonly reason: WaitReason;
      readonly keyDigest: string;
    }
  | { readonly kind: 'refused'; readonly machineId: string; readonly why: string }
  | { readonly kind: 'full'; readonly why: NoPlace };

/** A request whose parts have been verified. */
interface Verified {
  readonly request: EnrolRequest;
  readonly machineId: string;
  readonly csr: VerifiedRequest;
  readonly tokenDigest?: string;
  readonly address: string;
}

/**
 * Decides about a machine that asks for a certificate.
 * @param address where it asks from, for the list of those that wait
 * @throws BadRequest
 */
export async function enrol(
  options: EnrolmentOptions,
  request: EnrolRequest,
  address: string,
): Promise<Enrolment> {
  const machineId = machineIdOf(request.identity.uuid, request.identity.macs);
  if (machineId === undefined || !MACHINE_ID.test(machineId)) {
    throw new BadRequest(
      'naming the machine: it has neither an SMBIOS UUID that is one nor a physical network interface; set the UUID in its firmware',
    );
  }
  const csr = await verifyRequest(request.csr);
  const digest = request.token === undefined ? undefined : tokenDigest(request.token);
  const verified = { request, machineId, csr, address, ...(digest && { tokenDigest: digest }) };
  // Who has no chance is told so before anything is locked: strangers must not keep machines waiting.
  const first = await decideNow(options, verified);
  if (first.decision.kind === 'refuse') return { kind: 'refused', machineId, why: first.decision.why };
  if (first.decision.kind === 'wait') {
    const { reason } = first.decision;
    const why = await whyNoPlace(options.paths, { machineId, keyDigest: csr.keyDigest, reason, address });
    if (why) return { kind: 'full', why };
  }
  return await changing(options.paths, () => settle(options, verified));
}

async function decideNow(
  { paths, policy }: EnrolmentOptions,
  { request, machineId, csr, tokenDigest: digest }: Verified,
): Promise<{ decision: Decision; machine: MachineRecord | undefined; token: TokenRecord | undefined }> {
  const machine = await findMachine(paths, machineId);
  const token = digest === undefined ? undefined : await findToken(paths, digest);
  const decision = decide(
    {
      machineId,
      keyDigest: csr.keyDigest,
      macs: request.identity.macs,
      machine,
      lastSeen: await lastSeen(paths, machineId),
      token: digest === undefined ? 'none' : token,
      now: Date.now(),
    },
    policy,
  );
  return { decision, machine, token };
}

async function settle(options: EnrolmentOptions, verified: Verified): Promise<Enrolment> {
  const { paths } = options;
  const { machineId, csr, request } = verified;
  const { decision, machine, token } = await decideNow(options, verified);
  if (decision.kind === 'refuse') return { kind: 'refused', machineId, why: decision.why };
  const now = new Date().toISOString();
  const key = {
    machineId,
    keyDigest: csr.keyDigest,
    identity: request.identity,
    ...(verified.tokenDigest && { tokenDigest: verified.tokenDigest }),
  };
  if (decision.kind === 'wait') {
    const { reason } = decision;
    const noPlace = await addPending(paths, {
      ...key,
      reason,
      address: verified.address,
      since: now,
      lastAsked: now,
    });
    return noPlace
      ? { kind: 'full', why: noPlace }
      : { kind: 'waits', machineId, reason, keyDigest: csr.keyDigest };
  }
  if (decision.because !== 'same-key') {
    // The token first: killed in between, a use is lost, and the machine that asks again is among those that used it.
    if (token && !token.usedBy.includes(machineId)) {
      await writeToken(paths, { ...token, usedBy: [...token.usedBy, machineId] });
    }
    await writeMachine(paths, {
      ...key,
      state: 'enrolled',
      enrolledAt: machine?.enrolledAt ?? now,
      keySince: now,
      rekeys: machine ? machine.rekeys + 1 : 0,
    });
    await removePending(paths, key);
    // From now on nobody else is it, also before it has connected.
    await markSeen(paths, machineId);
  }
  return { kind: 'issued', because: decision.because, answer: await issue(options, machineId, csr) };
}

/**
 * A new certificate for a machine that shows its present one.
 * @throws BadRequest where the request is not by the key of the certificate
 */
export async function renew(
  options: EnrolmentOptions,
  machine: MachineCertificate,
  pem: string,
): Promise<EnrolAnswer> {
  const csr = await verifyRequest(pem);
  if (csr.keyDigest !== machine.keyDigest) {
    throw new BadRequest(
      `renewing the certificate of machine ${machine.machineId}: the request is by another key; enrol to change the key`,
    );
  }
  return await issue(options, machine.machineId, csr);
}

async function issue(
  { authority, namespace, lifetimeMs }: EnrolmentOptions,
  machineId: string,
  { publicKey }: VerifiedRequest,
): Promise<EnrolAnswer> {
  const certificate = await authority.issueMachine(machineId, publicKey, lifetimeMs);
  return {
    machineId,
    certificate: certificate.toString('pem'),
    chain: authority.certificate,
    expiresAt: certificate.notAfter.toISOString(),
    temporal: { namespace, taskQueue: machineQueue(machineId) },
  };
}
