/** Who may have a certificate: the whole rule, in one place, without I/O. gateway/README.md says why. */
import type { WaitReason } from '../../host/enrolment/api.ts';
import type { MachineRecord } from '../../host/enrolment/machines.ts';
import type { TokenRecord } from '../../host/enrolment/tokens.ts';

/** Pings come every ten seconds: a machine that has answered none for this long is not there. */
export const QUIET_MS = 30_000;

/** How often a token may give a machine another key: reboots of one install, not a way to live. */
const MAX_REKEYS = 100;

/** What the operator of this gateway has chosen. */
export interface EnrolmentPolicy {
  /** Machines without a token: refused, or put into the list. */
  readonly unknown: 'refuse' | 'wait';
  /** Keys that come with a valid token, of new machines and of those that come back: let in, or put into the list. */
  readonly approval: 'token' | 'always';
}

/** All that the decision depends on. */
export interface Asked {
  readonly machineId: string;
  /** Of the key that asks, whose possession is proved. */
  readonly keyDigest: string;
  readonly macs: readonly string[];
  /** The machine of this id, where there is one. */
  readonly machine?: MachineRecord | undefined;
  /** When that machine was last seen, milliseconds since 1970. */
  readonly lastSeen?: number | undefined;
  /** `none`: none was sent. Undefined: the one that was sent is not known. */
  readonly token: TokenRecord | 'none' | undefined;
  readonly now: number;
}

/** @see decide */
export type Decision =
  | { readonly kind: 'issue'; readonly because: 'same-key' | 'new-machine' | 'came-back' }
  | { readonly kind: 'wait'; readonly reason: WaitReason }
  | { readonly kind: 'refuse'; readonly why: string };

const refuse = (why: string): Decision => ({ kind: 'refuse', why });
const wait = (reason: WaitReason): Decision => ({ kind: 'wait', reason });

/** Decides about one request. */
export function decide(asked: Asked, policy: EnrolmentPolicy): Decision {
  const { machine, token } = asked;
  // Whoever has the key is who enrolled; an operator's approval is that key's in the machine's record, too.
  const isOwnKey = machine?.state === 'enrolled' && machine.keyDigest === asked.keyDigest;
  if (isOwnKey) return { kind: 'issue', because: 'same-key' };
  const invalid = whyInvalid(token, asked);
  if (invalid !== undefined || token === undefined || token === 'none') {
    return token === 'none' && policy.unknown === 'wait'
      ? wait('no-token')
      : refuse(invalid ?? 'the token is not known');
  }
  const decision: Decision = machine
    ? comesBack(asked, machine, token)
    : { kind: 'issue', because: 'new-machine' };
  // Last, so that the list says of a key what speaks against it.
  return decision.kind === 'issue' && needsWord(token, policy) ? wait('approval-required') : decision;
}

/** Whether no token is enough: an operator has to look at every key. */
const needsWord = (token: TokenRecord, policy: EnrolmentPolicy): boolean =>
  policy.approval === 'always' || token.needsApproval === true;

/** The id is known, the key is not: the machine has forgotten its key, or it is another one. */
function comesBack(asked: Asked, machine: MachineRecord, token: TokenRecord): Decision {
  // Locked out: no token lifts that.
  if (machine.state === 'revoked') return wait('approval-required');
  if (machine.tokenDigest !== token.digest) return wait('other-token');
  // Of a token for one machine this machine is the one. Any other token, other machines have as well.
  if (token.uses > 1 && !token.trustsMembers) return wait('shared-token');
  const known = machine.identity.macs;
  if (known.length > 0 && !known.some((mac) => asked.macs.includes(mac))) return wait('other-hardware');
  // Not under the hands of a machine that works: it would have to be off.
  if (asked.lastSeen !== undefined && asked.now - asked.lastSeen < QUIET_MS) return wait('in-use');
  if (machine.rekeys >= MAX_REKEYS) return wait('too-many-keys');
  return { kind: 'issue', because: 'came-back' };
}

function whyInvalid(token: Asked['token'], asked: Asked): string | undefined {
  if (token === 'none')
    return 'no token was sent: set one on the command line of the boot image (iguana.token=)';
  if (token === undefined) return 'the token is not known';
  if (token.revokedAt !== undefined) return 'the token has been revoked';
  if (Date.parse(token.expiresAt) <= asked.now) return `the token has expired on ${token.expiresAt}`;
  if (token.machineId !== undefined && token.machineId !== asked.machineId) {
    return 'the token is for another machine';
  }
  if (!token.usedBy.includes(asked.machineId) && token.usedBy.length >= token.uses) {
    return `the token has been used by ${token.usedBy.length} machines, as many as it is for`;
  }
  return undefined;
}
