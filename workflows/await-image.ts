/** An install's side of a build: start it, or join the one that runs, and wait. */

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ImageRef } from '../activities/contract.ts';
import type { Manifest } from '../manifest/schema/manifest.ts';
import { buildWorkflowId } from './api.ts';
import { buildImage } from './build-image.ts';
import { type ImageBuilt, imageBuiltSignal, joinSignal, leaveSignal } from './build-signals.ts';

/** A joined build that was terminated tells nobody: ask again after this time. */
const ASK_AGAIN = '10 minutes';

/**
 * The image of a manifest, built by whoever came first.
 * @throws ChildWorkflowFailure or ApplicationFailure, with the failure of the build
 */
export async function awaitImage(manifest: Manifest): Promise<ImageRef> {
  try {
    for (;;) {
      const image = (await start(manifest)) ?? (await join(manifest));
      if (image) return image;
    }
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => leave(manifest));
    throw error;
  }
}

/** @returns undefined where another install started the build */
async function start(manifest: Manifest): Promise<ImageRef | undefined> {
  try {
    const child = await startChild(buildImage, {
      workflowId: buildWorkflowId(manifest.imageDigest),
      // The build outlives this install where others wait for it; `leave` stops it where nobody does.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      args: [
        { imageDigest: manifest.imageDigest, image: manifest.image, startedBy: workflowInfo().workflowId },
      ],
    });
    return await child.result();
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

/** @returns undefined where the build ended before it could be joined, or says nothing for long */
async function join(manifest: Manifest): Promise<ImageRef | undefined> {
  let outcome: ImageBuilt | undefined;
  setHandler(imageBuiltSignal, (built) => {
    if (built.imageDigest === manifest.imageDigest) outcome = built;
  });
  try {
    await getExternalWorkflowHandle(buildWorkflowId(manifest.imageDigest)).signal(
      joinSignal,
      workflowInfo().workflowId,
    );
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.info('the build ended before it could be joined', { error: String(error) });
    return undefined;
  }
  await condition(() => outcome !== undefined, ASK_AGAIN);
  // Nothing within that time, or a build that was stopped: the caller asks again.
  const failed = outcome?.failure;
  if (failed) throw ApplicationFailure.nonRetryable(failed.message, failed.type, ...failed.details);
  return outcome?.image;
}

async function leave(manifest: Manifest): Promise<void> {
  try {
    await getExternalWorkflowHandle(buildWorkflowId(manifest.imageDigest)).signal(
      leaveSignal,
      workflowInfo().workflowId,
    );
  } catch (error) {
    log.info('the build had ended already', { error: String(error) });
  }
}
