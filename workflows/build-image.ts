/**
 * `buildImage`: one image, built once, for whoever waits for it.
 *
 * The install that starts it is its parent; others that need the same image find it running and join by signal. It
 * does not belong to any of them: it goes on while somebody waits, and stops when the last one has left.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setHandler,
} from '@temporalio/workflow';
import type { ImageRef } from '../activities/contract.ts';
import type { Digest } from '../manifest/schema/common.ts';
import type { ManifestImage } from '../manifest/schema/manifest.ts';
import { imageBuiltSignal, joinSignal, leaveSignal } from './build-signals.ts';
import { builder } from './policies.ts';

/** Input of `buildImage`. */
export interface BuildInput {
  readonly imageDigest: Digest;
  readonly image: ManifestImage;
  /** Workflow id of the install that starts the build; it gets the result as its parent. */
  readonly startedBy: string;
}

export async function buildImage(input: BuildInput): Promise<ImageRef> {
  const joined = new Set<string>();
  const waiting = new Set([input.startedBy]);
  const work = new CancellationScope({ cancellable: true });
  let isAbandoned = false;

  setHandler(joinSignal, (workflowId) => {
    joined.add(workflowId);
    waiting.add(workflowId);
  });
  setHandler(leaveSignal, (workflowId) => {
    joined.delete(workflowId);
    waiting.delete(workflowId);
    if (waiting.size > 0) return;
    isAbandoned = true;
    work.cancel();
  });

  const announce = async (outcome: Parameters<typeof tell>[1]): Promise<void> => {
    // Again while somebody joins during the telling: after this the workflow ends and nobody would tell them.
    while (joined.size > 0) {
      const ids = [...joined];
      joined.clear();
      await CancellationScope.nonCancellable(() => Promise.all(ids.map((id) => tell(id, outcome))));
    }
  };

  try {
    const image = await work.run(() => builder.buildImage(input.image));
    await announce({ imageDigest: input.imageDigest, image });
    return image;
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : error;
    // A build that is being stopped may end with any failure, e.g. of a worker that is shut down at the same time.
    const isStopped = isAbandoned || isCancellation(error);
    // Whoever joined while the build was being stopped hears of neither image nor failure, and starts it again.
    const { imageDigest } = input;
    await announce(isStopped ? { imageDigest } : { imageDigest, failure: describe(cause) });
    if (!isAbandoned) throw error;
    throw ApplicationFailure.nonRetryable(
      'the build was stopped: nobody waits for it any longer',
      'BuildStopped',
    );
  }
}

function describe(cause: unknown): { type: string; message: string; details: unknown[] } {
  if (cause instanceof ApplicationFailure) {
    return { type: cause.type ?? 'Unexpected', message: cause.message, details: cause.details ?? [] };
  }
  return { type: 'Unexpected', message: String(cause), details: [] };
}

async function tell(
  workflowId: string,
  outcome: {
    imageDigest: Digest;
    image?: ImageRef;
    failure?: { type: string; message: string; details: unknown[] };
  },
): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(imageBuiltSignal, outcome);
  } catch (error) {
    // It has ended since it joined. Nobody is left to tell.
    log.info('an install that waited for this image has ended', { workflowId, error: String(error) });
  }
}
