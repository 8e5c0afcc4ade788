/** What a machine and the gateway say to one another when the machine enrols: types only, for both ends. */

/** Who a machine says that it is. None of it is secret: any program on any machine can say it. */
export interface MachineIdentity {
  /** SMBIOS UUID as the firmware tells it; one that is no identity is ignored. */
  readonly uuid?: string;
  /** Of its physical network interfaces, in the order of their places on the buses. */
  readonly macs: readonly string[];
  /** Whatever helps an operator to recognise the machine in the list of those that wait: vendor, model, serial. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** Body of `POST /v1/enrol`. */
export interface EnrolRequest {
  /** PKCS #10 in PEM, signed with the key that the certificate shall be for: proves that the machine has it. */
  readonly csr: string;
  /** Absent where the gateway lets unknown machines wait for approval. */
  readonly token?: string;
  readonly identity: MachineIdentity;
  /** The kernel's own id of this boot, a UUID: each is told to the machine's install once. */
  readonly bootId?: string;
  /** Containers that this boot refused to run as its agent, and why. */
  readonly refused?: readonly string[];
}

/** Body of `POST /v1/renew`, sent with the present certificate. */
export interface RenewRequest {
  /** By the same key as the present certificate. */
  readonly csr: string;
}

/** Answer 200 of both. */
export interface EnrolAnswer {
  readonly machineId: string;
  /** The machine's certificate, PEM. */
  readonly certificate: string;
  /** What it was issued by, PEM. */
  readonly chain: string;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Temporal's gRPC, as this machine may use it, is served at the address at which it enrolled. */
  readonly temporal: { readonly namespace: string; readonly taskQueue: string };
}

/** Why a machine has to wait. */
export type WaitReason =
  /** It has no token, and unknown machines may ask. */
  | 'no-token'
  /** The gateway, or the token, wants every key approved: of new machines, and of those that come back with another one. */
  | 'approval-required'
  /** The machine has enrolled before with another key, and with another token. */
  | 'other-token'
  /** … and with a token that other machines have too. */
  | 'shared-token'
  /** … and not one network interface is the same. */
  | 'other-hardware'
  /** … and its other key is in use right now. After a reboot this passes by itself within half a minute. */
  | 'in-use'
  /** … and has changed its key too often. */
  | 'too-many-keys';

/** Answer 202: ask again, with the same key. */
export interface WaitAnswer {
  readonly machineId: string;
  readonly reason: WaitReason;
  /** What is to be done, for people. */
  readonly message: string;
  /** SHA-256 of the key, as the list of waiting machines shows it. */
  readonly keyDigest: string;
  readonly retryAfterSeconds: number;
}
