/** Tells what the agent's steps do: when they begin, how far they are, and why one failed. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { AgentActivities } from '../../activities/contract.ts';
import type { FailureDetails } from '../../activities/failures.ts';
import { latestProgress } from '../../activities/progress.ts';
import { progressWords } from './progress-words.ts';

/** As often as progress is told; a serial line has 11 kB/s. */
const PROGRESS_MS = 5_000;

/** All steps of the agent, in words. */
export const STEP_WORDS: Readonly<Record<keyof AgentActivities, string>> = {
  probe: 'looking at this machine',
  partition: 'partitioning the disk',
  writeImage: 'writing the image',
  readBack: 'reading back what was written',
  growFilesystem: 'growing the filesystem',
  personalise: "writing this machine's own settings",
  installBootloader: 'installing the boot loader',
  verify: 'verifying the disk',
  release: 'cleaning up',
  leave: 'leaving the installer',
};

/** Tells one activity. */
export class Narrator implements ActivityInboundCallsInterceptor {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  async execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    const context = Context.current();
    const { activityType, attempt } = context.info;
    const step =
      activityType in STEP_WORDS ? STEP_WORDS[activityType as keyof AgentActivities] : activityType;
    const since = Date.now();
    this.#logger.info(attempt > 1 ? `${step}, attempt ${attempt}` : step);
    let told: string | undefined;
    const timer = setInterval(() => {
      const words = progressWords(latestProgress(context), Date.now() - since);
      if (words === undefined || words === told) return;
      told = words;
      this.#logger.info(`${step}: ${words}`);
    }, PROGRESS_MS);
    try {
      const result = await next(input);
      this.#logger.info(`${step}: done in ${((Date.now() - since) / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      const remedy = remedyOf(error);
      this.#logger.warn({ err: error }, `${step} failed`);
      if (remedy !== undefined) this.#logger.warn(`what to do: ${remedy}`);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}

/** The remedy of the outermost failure that has one. */
function remedyOf(error: unknown): string | undefined {
  let found: string | undefined;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const details = at instanceof ApplicationFailure ? at.details?.[0] : undefined;
    if (isDetails(details)) found ??= details.remedy;
  }
  return found;
}

const isDetails = (value: unknown): value is FailureDetails =>
  typeof value === 'object' && value !== null && 'remedy' in value;
