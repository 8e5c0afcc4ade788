/** Queries, updates and signals of `installMachine`. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Facts } from '../manifest/schema/facts.ts';
import type { Manifest } from '../manifest/schema/manifest.ts';
import {
  type AbortArgs,
  type AmendArgs,
  type ApproveArgs,
  type InstallStatus,
  type MachineStartedArgs,
  QUERIES,
  type ReportFirstBootArgs,
  type RetryArgs,
  SIGNALS,
  type SkipArgs,
  UPDATES,
} from './api.ts';

export const statusQuery = defineQuery<InstallStatus>(QUERIES.status);
export const manifestQuery = defineQuery<Manifest | null>(QUERIES.manifest);
export const factsQuery = defineQuery<Facts | null>(QUERIES.facts);

export const approveUpdate = defineUpdate<void, [ApproveArgs]>(UPDATES.approve);
export const retryUpdate = defineUpdate<void, [RetryArgs]>(UPDATES.retry);
export const amendUpdate = defineUpdate<void, [AmendArgs]>(UPDATES.amend);
export const skipUpdate = defineUpdate<void, [SkipArgs]>(UPDATES.skip);
export const abortUpdate = defineUpdate<void, [AbortArgs]>(UPDATES.abort);
export const reportFirstBootUpdate = defineUpdate<void, [ReportFirstBootArgs]>(UPDATES.reportFirstBoot);

export const machineStartedSignal = defineSignal<[MachineStartedArgs]>(SIGNALS.machineStarted);
