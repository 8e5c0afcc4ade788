/**
 * The catalogue of failures: every way in which an install can stop, whether the same step can succeed when it
 * is tried again without anybody changing anything, and what a person can do about it.
 *
 * `ApplicationFailure.type` is the name here. A message says what was being done, on what, and why it failed;
 * the cause chain stays attached. The remedy travels in the failure's details, so that workflows and clients need
 * not import this module.
 */
import { ApplicationFailure } from '@temporalio/common';

/** How a failure is treated. */
export interface FailureKind {
  /** True where the same call can succeed later by itself (network, engine restarting, disk being busy). */
  readonly retryable: boolean;
  /** What the person can do; shown below the cause. */
  readonly remedy: string;
}

const again = (remedy: string): FailureKind => ({ retryable: true, remedy });
const stop = (remedy: string): FailureKind => ({ retryable: false, remedy });

/** Every failure type with its treatment. */
export const FAILURES = {
  // plan
  ProfileInvalid: stop(
    'Correct the profile as the message says, then `iguana amend` with the corrected layer.',
  ),
  FirmwareUnsupported: stop('Switch the firmware to UEFI mode (disable CSM / legacy boot) and retry.'),
  ArchitectureMismatch: stop('Use a profile for the architecture of this machine.'),
  NoDisk: stop('Widen storage.disk.match, or attach the disk that is meant, then retry.'),
  DiskAmbiguous: stop(
    'Make storage.disk.match name one disk, or say which with `order` and `limit: 1`, then amend.',
  ),
  DiskIsInstallMedium: stop('Choose another disk: the installer itself runs from this one.'),
  DiskInUse: stop('Unmount what is mounted, or choose another disk, then retry.'),
  DiskHasData: stop(
    'Choose another disk, or set `storage.existingData: erase` and approve what is destroyed.',
  ),
  DiskUnidentified: stop(
    'Give the disk a serial number (for a virtual machine, in its settings), or choose another disk, then retry.',
  ),
  DiskReadOnly: stop('Remove the write protection, or choose another disk, then retry.'),
  StorageImpossible: stop('Correct `storage` as the message says, then amend.'),
  // build
  EngineMissing: stop('Install podman or Docker (`iguana doctor` tells how), then retry.'),
  EngineFailed: again('Look at the engine’s own log; Iguana tries again.'),
  PackagesUnavailable: again('Look at the network and the package mirror; Iguana tries again.'),
  PackageUnknown: stop('Correct image.packages or image.repositories, then amend.'),
  RepositoryUntrusted: stop('Give the key that signs the repository in image.repositories, then amend.'),
  ImageUntrusted: stop(
    'Nothing of the image was kept. Have it signed by a key of `image.from.keys`, or name the key that signed it, then amend.',
  ),
  ImageUnavailable: again('Look at the network and the places that `image.from` names; Iguana tries again.'),
  ImageRefused: stop(
    'Correct `image.from`, push the image to where it points, or give the builder credentials for it, then amend or retry.',
  ),
  ImageUnsuitable: stop(
    'Name an image that Iguana has built (`iguana image push store:DIGEST …`) in `image.from`, then amend.',
  ),
  BuildScriptFailed: stop('Correct the script as its output says, then amend.'),
  BuildFailed: stop(
    'Read the build log that the message names; correct the image part of the profile, then amend.',
  ),
  StoreFull: stop('Free space in the store (`iguana image gc`), then retry.'),
  ImageCorrupt: stop('`iguana image gc` removes the damaged image; retry builds it again.'),
  ImageMissing: stop('Retry: the image is built again.'),
  // disk
  DiskChanged: stop(
    'The disk is not the one that was planned for. Attach the right one and retry, or amend the profile.',
  ),
  DiskVanished: again('Look at the cabling and the disk’s own health; Iguana tries again.'),
  DiskTooSmall: stop('Choose a larger disk, or make the partitions smaller, then amend.'),
  DiskWriteFailed: again('The disk reports errors: look at its health. Iguana tries again.'),
  PartitioningFailed: stop('Read what systemd-repart said; correct `storage`, then amend.'),
  VerificationFailed: stop(
    'What the disk returns is not what was written: replace the disk, or retry to write it again.',
  ),
  // personalise, bootloader
  SecretMissing: stop('Store the secret with `iguana secret set NAME`, then retry.'),
  PersonaliseFailed: stop('Correct `machine` as the message says, then amend.'),
  BootloaderFailed: stop('Add a kernel and systemd-boot to the image, or make the ESP larger, then amend.'),
  // handoff
  HandoffImpossible: stop(
    'Set `handoff.action: none`, `reboot` for a machine that installs itself, or `virtual-machine` for a disk image, then amend; or `iguana skip`.',
  ),
  VirtualMachineFailed: again('Look at the console log that the message names; Iguana tries again.'),
  FirstBootScriptFailed: stop(
    'Read why in the machine’s journal (`journalctl -u iguana-first-boot`). `iguana amend` with a corrected script ' +
      'writes the disk again, `iguana skip` accepts the machine as it is.',
  ),
  FirstBootTimeout: stop(
    'Look at the console log; `iguana retry` boots and waits again, `iguana skip` accepts the disk as it is.',
  ),
  // anywhere
  ToolMissing: stop('`iguana doctor` names what is missing and how to get it.'),
  CommandFailed: again('Iguana tries again; the message holds the command’s own words.'),
  Unexpected: again('This is a defect in Iguana: please report it with `iguana history --output json`.'),
} as const satisfies Record<string, FailureKind>;

/** The name of a failure; `ApplicationFailure.type`. */
export type FailureType = keyof typeof FAILURES;

/** What a failure carries besides type and message: the first entry of `ApplicationFailure.details`. */
export interface FailureDetails {
  readonly remedy: string;
  /** Candidates that were rejected, log excerpts, expected and found values: small, for people and for tests. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/**
 * Makes the failure that an activity throws.
 * @param type name in the catalogue; decides whether Temporal retries
 * @param message what was being done, on what, and why it failed: one sentence, no trailing full stop
 * @param options `cause` keeps the chain; `context` goes into the details; `remedy` replaces the catalogue's
 */
export function failure(
  type: FailureType,
  message: string,
  options: { cause?: unknown; context?: FailureDetails['context']; remedy?: string } = {},
): ApplicationFailure {
  const { retryable, remedy } = FAILURES[type];
  const details: FailureDetails = {
    remedy: options.remedy ?? remedy,
    ...(options.context && { context: options.context }),
  };
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: !retryable,
    details: [details],
    ...(options.cause instanceof Error && { cause: options.cause }),
  });
}
