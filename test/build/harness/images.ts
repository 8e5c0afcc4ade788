/** Images to build, small ones of real packages, and a builder on a state folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { builderActivities } from '../../../activities/build/index.ts';
import type { ImageRef, Progress } from '../../../activities/contract.ts';
import type { FailureDetails } from '../../../activities/failures.ts';
import { requiredAptMirror } from '../../../host/apt-mirror.ts';
import { type StatePaths, statePaths } from '../../../host/state.ts';
import { type ManifestImage, manifestImageSchema } from '../../../manifest/schema/manifest.ts';

/**
 * An image that could boot, with a kernel for virtual machines: a fifth of the size of the one for all hardware.
 * @param changes replace fields
 */
export async function imageOf(changes: Partial<ManifestImage> = {}): Promise<ManifestImage> {
  const { archive: main, security } = await requiredAptMirror();
  return manifestImageSchema.parse({
    distribution: 'debian',
    release: 'trixie',
    architecture: 'amd64',
    builder: 'mmdebstrap',
    variant: 'minbase',
    packages: ['initramfs-tools', 'systemd', 'systemd-boot', 'systemd-resolved', 'systemd-sysv', 'udev'],
    recommends: false,
    repositories: [
      { name: 'debian', uri: main, suites: ['trixie', 'trixie-updates'], key: 'distribution' },
      { name: 'debian-security', uri: security, suites: ['trixie-security'], key: 'distribution' },
    ],
    kernel: { package: 'linux-image-cloud-amd64', cmdline: [] },
    files: [],
    services: [],
    locale: 'C.UTF-8',
    keyboard: 'us',
    timezone: 'Etc/UTC',
    scripts: [],
    sourceDateEpoch: 1_754_697_600,
    revision: '',
    rootFilesystem: 'ext4',
    ...changes,
  } satisfies Record<Exclude<keyof ManifestImage, 'from'>, unknown>);
}

/** An image that is quickly built and fails late: it has neither loader nor kernel. */
export const tinyImage = (changes: Partial<ManifestImage> = {}): Promise<ManifestImage> =>
  imageOf({
    variant: 'essential',
    packages: [],
    kernel: { package: 'base-files', cmdline: [] },
    ...changes,
  });

/** A builder with its own state folder, and the host's cache of packages. */
export interface Builder {
  readonly paths: StatePaths;
  /** Builds in an activity's context. */
  build(image: ManifestImage, options?: BuildOptions): Promise<ImageRef>;
  /** Removes the state folder. */
  remove(): Promise<void>;
}

interface BuildOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** Cancels the activity when aborted. */
  readonly signal?: AbortSignal;
}

/** @param folder the state folder; default a new one */
export async function makeBuilder(folder?: string): Promise<Builder> {
  const root = folder ?? (await mkdtemp(join(tmpdir(), 'iguana-build-')));
  const paths = statePaths({ ...process.env, IGUANA_STATE: root });
  const activities = builderActivities(paths);
  return {
    paths,
    async build(image, { onProgress, signal } = {}) {
      const environment = new MockActivityEnvironment();
      if (onProgress) environment.on('heartbeat', onProgress);
      const cancel = (): void => environment.cancel('CANCELLED');
      signal?.addEventListener('abort', cancel, { once: true });
      return await environment.run(activities.buildImage, image);
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

/** The failure that a build must end with. */
export async function failureOf(
  build: Promise<unknown>,
): Promise<{ type: string; message: string; retryable: boolean; context: Record<string, unknown> }> {
  const error = await build.then(
    () => new Error('the build did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ApplicationFailure)) throw error;
  const [details] = (error.details ?? []) as FailureDetails[];
  return {
    type: error.type ?? '',
    message: error.message,
    retryable: !error.nonRetryable,
    context: { ...details?.context },
  };
}
