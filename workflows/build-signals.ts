/** Signals between installs and the builds they wait for. */
import { defineSignal } from '@temporalio/workflow';
import type { ImageRef } from '../activities/contract.ts';
import type { Digest } from '../manifest/schema/common.ts';

/** What a build tells an install that joined it; neither image nor failure where the build was stopped. */
export interface ImageBuilt {
  readonly imageDigest: Digest;
  readonly image?: ImageRef;
  readonly failure?: { readonly type: string; readonly message: string; readonly details: unknown[] };
}

/** To a build: the install with this workflow id waits for it too. */
export const joinSignal = defineSignal<[string]>('join');
/** To a build: the install with this workflow id waits no longer. */
export const leaveSignal = defineSignal<[string]>('leave');
/** To an install that joined: the build has ended. */
export const imageBuiltSignal = defineSignal<[ImageBuilt]>('imageBuilt');
