/** What an install knows about itself. */

import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { ImageRef, Layer, PlanResult } from '../activities/contract.ts';
import type { Digest } from '../manifest/schema/common.ts';
import type { DiskContent, Facts } from '../manifest/schema/facts.ts';
import {
  type Attention,
  type Decision,
  type InstallInput,
  type InstallStatus,
  type Outcome,
  PHASES,
  type Phase,
  type PhaseState,
  type ReportFirstBootArgs,
  SEARCH_ATTRIBUTES,
} from './api.ts';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
const ATTRIBUTES = {
  machine: keyword(SEARCH_ATTRIBUTES.machine),
  phase: keyword(SEARCH_ATTRIBUTES.phase),
  imageDigest: keyword(SEARCH_ATTRIBUTES.imageDigest),
  batch: keyword(SEARCH_ATTRIBUTES.batch),
  outcome: keyword(SEARCH_ATTRIBUTES.outcome),
};

/** Default patience: a week holds a weekend and a holiday. */
const ATTENTION_TIMEOUT_SECONDS = 7 * 24 * 3600;

/** Boots that the status shows; the history has all of them. */
const SHOWN_BOOTS = 20;

/** The time in ISO 8601; deterministic inside a workflow. */
export const now = (): string => new Date(Date.now()).toISOString();

/** State of one install. Each field is the result of the phase that its comment names. */
export class InstallState {
  readonly installId: string;
  layers: readonly Layer[];
  /** probe */
  facts: Facts | undefined;
  /** plan */
  plan: PlanResult | undefined;
  /** approve */
  approval: Decision | undefined;
  awaitsApproval = false;
  /** build */
  image: ImageRef | undefined;
  /** personalise */
  tokenDigest: Digest | undefined;
  changedDigest: Digest | undefined;
  /** handoff: the system has been started since it was written. */
  hasBooted = false;
  /** confirm */
  firstBoot: (ReportFirstBootArgs['report'] & { at: string }) | undefined;
  /** Any phase of a machine that installs itself. */
  #boots: NonNullable<InstallStatus['boots']> = [];
  attention: Attention | undefined;
  outcome: Outcome | undefined;

  readonly input: InstallInput;
  readonly #phases = new Map<Phase, PhaseState>(PHASES.map((phase) => [phase, { phase, state: 'waiting' }]));

  constructor(input: InstallInput) {
    this.input = input;
    this.installId = `${input.machineId}/${workflowInfo().runId}`;
    this.layers = input.layers;
    upsertSearchAttributes([
      { key: ATTRIBUTES.machine, value: input.machineId },
      { key: ATTRIBUTES.batch, value: input.batch ?? null },
    ]);
  }

  /** How long a question waits for a person, in ms. */
  get patienceMs(): number {
    return (this.input.attentionTimeoutSeconds ?? ATTENTION_TIMEOUT_SECONDS) * 1000;
  }

  /** The plan; phases after `plan` have one. */
  get planned(): PlanResult {
    if (!this.plan) throw new Error('a phase that needs the plan was run before it');
    return this.plan;
  }

  /** What may be lost: what is on the chosen disk by the facts that were planned and approved with; else nothing. */
  get approvedContents(): readonly DiskContent[] {
    const { destroyed, manifest } = this.planned;
    if (destroyed.length === 0) return [];
    return this.facts?.disks.find(({ id }) => id === manifest.storage.disk.id)?.contents ?? [];
  }

  /** The image; phases after `build` have one. */
  get built(): ImageRef {
    if (!this.image) throw new Error('a phase that needs the image was run before it');
    return this.image;
  }

  /** What an agent may hold for this install. */
  get hold() {
    const diskId = this.plan?.manifest.storage.disk.id;
    return { installId: this.installId, target: this.input.target, ...(diskId !== undefined && { diskId }) };
  }

  /** What the agent's disk steps share. */
  get diskStep() {
    return { installId: this.installId, target: this.input.target, manifest: this.planned.manifest };
  }

  /** Says that the machine has been started from its boot image. Told again, it is the same start. */
  started(bootId: string): void {
    if (this.#boots.some((boot) => boot.bootId === bootId)) return;
    this.#boots = [...this.#boots, { bootId, at: now() }].slice(-SHOWN_BOOTS);
  }

  begin(phase: Phase): void {
    this.#phases.set(phase, { phase, state: 'running', startedAt: now() });
    upsertSearchAttributes([{ key: ATTRIBUTES.phase, value: phase }]);
  }

  finish(phase: Phase, state: 'done' | 'skipped', result?: string): void {
    const begun = this.#phases.get(phase);
    this.#phases.set(phase, {
      ...begun,
      phase,
      state,
      endedAt: now(),
      ...(result !== undefined && { result }),
    });
    if (phase === 'plan') {
      upsertSearchAttributes([{ key: ATTRIBUTES.imageDigest, value: this.planned.manifest.imageDigest }]);
    }
  }

  /** Says that the phase waits for a person. */
  stand(attention: Attention): void {
    this.attention = attention;
    const begun = this.#phases.get(attention.phase);
    this.#phases.set(attention.phase, { ...begun, phase: attention.phase, state: 'needs-attention' });
    upsertSearchAttributes([{ key: ATTRIBUTES.phase, value: 'needs-attention' }]);
  }

  end(outcome: Outcome): void {
    this.outcome = outcome;
    upsertSearchAttributes([
      { key: ATTRIBUTES.phase, value: 'ended' },
      { key: ATTRIBUTES.outcome, value: outcome },
    ]);
  }

  /** Answer of the `status` query. */
  status(): InstallStatus {
    const phases = PHASES.map((phase) => this.#phases.get(phase) ?? { phase, state: 'waiting' as const });
    const current = phases.find(({ state }) => state === 'running')?.phase;
    return {
      machineId: this.input.machineId,
      phase: this.outcome ? 'ended' : this.attention ? 'needs-attention' : (current ?? 'probe'),
      phases,
      target: this.input.target,
      destroyed: this.plan?.destroyed ?? [],
      ...(this.outcome && { outcome: this.outcome }),
      ...(this.attention && { attention: this.attention }),
      ...(this.approval && { approval: this.approval }),
      ...(this.plan && {
        manifestDigest: this.plan.manifestDigest,
        imageDigest: this.plan.manifest.imageDigest,
        diskId: this.plan.manifest.storage.disk.id,
      }),
      ...(this.image && { image: this.image }),
      ...(this.tokenDigest && { tokenDigest: this.tokenDigest }),
      awaitsApproval: this.awaitsApproval,
      ...(this.firstBoot && { firstBoot: this.firstBoot }),
      ...(this.#boots.length > 0 && { boots: this.#boots }),
    };
  }
}
