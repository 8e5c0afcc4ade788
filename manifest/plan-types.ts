/** What planning is given and what it answers. */
import type { Diagnostic, DiagnosticKind } from './diagnostics.ts';
import type { Digest } from './schema/common.ts';
import type { Facts } from './schema/facts.ts';
import type { Manifest } from './schema/manifest.ts';

/** A profile layer's text under the name that messages call it. */
export interface LayerText {
  readonly name: string;
  readonly text: string;
}

/** Where the distribution's own packages come from. */
export interface Mirror {
  /** Base address of the archive. */
  readonly archive: string;
  /** Base address of the security archive, which has a mirror of its own. */
  readonly security: string;
}

/** What is installed onto; as `Target` of the activities. */
export type PlanTarget =
  | { readonly kind: 'machine' }
  | { readonly kind: 'device'; readonly id: string }
  | { readonly kind: 'file'; readonly path: string; readonly sizeBytes: number };

export interface PlanRequest {
  /** Earliest first; the built-in defaults come before them. */
  readonly layers: readonly LayerText[];
  readonly facts: Facts;
  readonly target: PlanTarget;
  /** For repositories without `uri`; without a mirror such a repository is an error. */
  readonly mirror?: Mirror;
}

/** A disk that was looked at, and why it was not taken. */
export interface Candidate {
  readonly id: string;
  readonly sizeBytes: number;
  readonly model?: string;
  /** Empty for one that could be taken. */
  readonly rejected: readonly string[];
}

/** The phases of an install that depend on the manifest. */
export type PlanKeys = Readonly<
  Record<'build' | 'partition' | 'personalise' | 'bootloader' | 'handoff' | 'confirm', Digest>
>;

export interface Planned {
  readonly ok: true;
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  /** What is on the chosen disk and will be lost, for approval. */
  readonly destroyed: readonly { readonly diskId: string; readonly what: string }[];
  /** Digest of exactly what each phase depends on. */
  readonly keys: PlanKeys;
}

export interface NotPlanned {
  readonly ok: false;
  /** The most basic of the diagnostics' kinds. */
  readonly kind: DiagnosticKind;
  /** Everything that is wrong. */
  readonly diagnostics: readonly Diagnostic[];
  /** The disks that were looked at, where one could not be chosen. */
  readonly candidates?: readonly Candidate[];
}

/** A manifest, or everything that is in its way. */
export type PlanOutcome = Planned | NotPlanned;
