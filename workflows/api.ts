/**
 * What the outside may know of the workflows: their names, inputs, queries, updates and search attributes.
 * Types and constants only, so that clients can import it without the workflows.
 */
import type { Destroyed, ImageRef, Layer, Progress, Target } from '../activities/contract.ts';
import type { Digest } from '../manifest/schema/common.ts';

/** Task queues. A machine's queue is its own; the others are shared by any number of workers. */
export const CONTROL_QUEUE = 'control';
export const BUILDER_QUEUE = 'builder';
/** @returns the task queue of the agent of one machine */
export const machineQueue = (machineId: string): string => `machine/${machineId}`;

/** @returns the id of the install workflow of a machine: one machine, one install at a time */
export const installWorkflowId = (machineId: string): string => `install/${machineId}`;
/** @returns the id of the workflow that builds an image: the same image is built once, whoever asks */
export const buildWorkflowId = (imageDigest: Digest): string => `build/${imageDigest}`;
/** @returns the id of the workflow that keeps a virtual machine running after its install */
export const runWorkflowId = (machineId: string): string => `run/${machineId}`;

/** Custom search attributes, all of type Keyword; registered by whoever starts the workers. */
export const SEARCH_ATTRIBUTES = {
  machine: 'IguanaMachine',
  phase: 'IguanaPhase',
  imageDigest: 'IguanaImageDigest',
  batch: 'IguanaBatch',
  outcome: 'IguanaOutcome',
} as const;

/** The phases of an install in their order. */
export const PHASES = [
  'probe',
  'plan',
  'approve',
  'build',
  'partition',
  'write',
  'personalise',
  'bootloader',
  'verify',
  'handoff',
  'confirm',
] as const;

/** One of {@link PHASES}. */
export type Phase = (typeof PHASES)[number];

/** How an install ended. */
export type Outcome = 'succeeded' | 'aborted' | 'cancelled' | 'timed-out';

/** Who said something, and when (ISO 8601). */
export interface Decision {
  readonly by: string;
  readonly at: string;
  readonly reason?: string;
}

/** Input of `installMachine`. */
export interface InstallInput {
  readonly machineId: string;
  readonly target: Target;
  readonly layers: readonly Layer[];
  /** `ask`: wait for {@link ApproveArgs} where data is destroyed. Otherwise who approved it beforehand. */
  readonly approval: 'ask' | { readonly by: string; readonly reason: string };
  /** `generic` makes a disk image that can be cloned; default `unique`. */
  readonly identity?: 'unique' | 'generic';
  /** Where the installed system reports its first boot. */
  readonly reportUrl?: string;
  readonly assumeFirmware?: 'uefi' | 'bios';
  readonly batch?: string;
  /** How long `needs-attention` and `approve` wait for a person; default 7 days. */
  readonly attentionTimeoutSeconds?: number;
}

/** Why an install stands in `needs-attention`. */
export interface Attention {
  readonly phase: Phase;
  /** Name in the catalogue of failures. */
  readonly type: string;
  /** The failure and its causes, outermost first. */
  readonly causes: readonly string[];
  readonly remedy: string;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly canSkip: boolean;
  readonly since: string;
}

/** One phase as `status` shows it. */
export interface PhaseState {
  readonly phase: Phase;
  readonly state: 'waiting' | 'running' | 'done' | 'skipped' | 'needs-attention';
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** One line: what came of it. */
  readonly result?: string;
}

/** Answer of query `status`. */
export interface InstallStatus {
  readonly machineId: string;
  /** What stands in the search attribute: a phase, or `needs-attention`, or `ended`. */
  readonly phase: Phase | 'needs-attention' | 'ended';
  readonly phases: readonly PhaseState[];
  readonly target: Target;
  readonly outcome?: Outcome;
  readonly attention?: Attention;
  readonly destroyed: readonly Destroyed[];
  readonly approval?: Decision;
  /** True while phase `approve` waits for a person. */
  readonly awaitsApproval: boolean;
  /** Digest of the one-time token that the installed system reports with. */
  readonly tokenDigest?: Digest;
  readonly manifestDigest?: Digest;
  readonly imageDigest?: Digest;
  readonly image?: ImageRef;
  readonly diskId?: string;
  readonly firstBoot?: FirstBootReport & { readonly at: string };
  /** The latest starts of a machine that installs itself, from its boot image, since the install began; at most 20. */
  readonly boots?: readonly (MachineStartedArgs & { readonly at: string })[];
}

/** What the workflow answers when it ends. */
export interface InstallResult {
  readonly outcome: Outcome;
  readonly machineId: string;
  readonly manifestDigest?: Digest;
  readonly imageDigest?: Digest;
  readonly diskId?: string;
}

/** What an installed system tells at its first boot. */
export interface FirstBootReport {
  readonly machineId: string;
  readonly hostname: string;
  readonly kernel: string;
  readonly bootId: string;
  /** First-boot scripts that failed or were cut off; absent where the system does not say. */
  readonly failedScripts?: readonly string[];
}

export interface ApproveArgs {
  readonly by: string;
  readonly reason?: string;
}
export type RetryArgs = Pick<Decision, 'by'>;
export interface AmendArgs {
  readonly by: string;
  /** Replaces the layer of the same name, else is added on top. */
  readonly layer: Layer;
}
export interface SkipArgs {
  readonly by: string;
  readonly reason: string;
}
export interface AbortArgs {
  readonly by: string;
  readonly reason: string;
}
/** `token`'s digest, never the token. */
export interface ReportFirstBootArgs {
  readonly tokenDigest: Digest;
  readonly report: FirstBootReport;
}

/** A machine that installs itself has been started: once for each boot, by its gateway. */
export interface MachineStartedArgs {
  /** The kernel's own id of the boot. */
  readonly bootId: string;
  /** Containers that this boot refused to run as its agent, and why. */
  readonly refused?: readonly string[];
}

/** Names of queries, updates and signals. */
export const QUERIES = { status: 'status', manifest: 'manifest', facts: 'facts' } as const;
export const UPDATES = {
  approve: 'approve',
  retry: 'retry',
  amend: 'amend',
  skip: 'skip',
  abort: 'abort',
  reportFirstBoot: 'reportFirstBoot',
  /** Of `runMachine`, without arguments. */
  cutPower: 'cutPower',
} as const;
export const SIGNALS = { machineStarted: 'machineStarted' } as const;

/** Workflow types. */
export const WORKFLOWS = {
  installMachine: 'installMachine',
  buildImage: 'buildImage',
  runMachine: 'runMachine',
} as const;

/** Progress as the server shows it for a pending activity; kept here so that clients find it. */
export type PendingProgress = Progress & { readonly attempt: number };
