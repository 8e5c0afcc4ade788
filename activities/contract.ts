/**
 * The steps of an install as one typed table: for each activity what it is given and what it answers. Workflows
 * import these types only; each worker must implement every activity of its queue or it does not compile.
 *
 * What is listed here goes into Temporal's history: facts, manifests, digests, decisions; never bytes, never secrets.
 */
import type { Digest } from '../manifest/schema/common.ts';
import type { DiskContent, Facts } from '../manifest/schema/facts.ts';
import type { Manifest, ManifestImage } from '../manifest/schema/manifest.ts';

/** What is installed onto: the disks of the machine the agent runs on, or a disk image for a machine that is not here. */
export type Target =
  | { readonly kind: 'machine' }
  /** A block device of this host, by its identity (`wwn:…`), never by its node. */
  | { readonly kind: 'device'; readonly id: string }
  /** A disk image file; created with `sizeBytes` when it does not exist. */
  | { readonly kind: 'file'; readonly path: string; readonly sizeBytes: number };

/** One profile layer as it was read. */
export interface Layer {
  /** `defaults`, or the file's name as the person gave it. */
  readonly name: string;
  /** Digest of the text. */
  readonly digest: Digest;
  /** The text, with `source:` files already read into `content:`. YAML or JSON. */
  readonly text: string;
}

/** Something that will be destroyed, for approval. */
export interface Destroyed {
  readonly diskId: string;
  /** e.g. `partition 2: ext4 "home", 500 GiB`. */
  readonly what: string;
}

/** An image in the store. */
export interface ImageRef {
  /** Digest of the image part of the manifest: the id under which the store keeps it. */
  readonly imageDigest: Digest;
  /** Digest of the root filesystem's chunk table. */
  readonly rootDigest: Digest;
  /** Bytes of the root filesystem image. */
  readonly rootBytes: number;
  /** Bytes of it that are not zero runs. */
  readonly dataBytes: number;
  /** Digest of the archive of ESP content. */
  readonly espDigest: Digest;
  /** Digest of the list of all files with their digests. */
  readonly filesDigest: Digest;
  /** Digest of the CycloneDX package list. */
  readonly sbomDigest: Digest;
  readonly packageCount: number;
  /** Where it came from, and who signed it; absent where Iguana built it. */
  readonly origin?: {
    /** Without credentials. */
    readonly reference: string;
    /** Whose signature was verified before the first byte was kept; absent where none was demanded. */
    readonly signer?:
      | {
          /** Digest of the public key. */
          readonly keyId: Digest;
          /** The name that was signed with the image; may be empty. */
          readonly identity: string;
        }
      | undefined;
  };
}

/** What the agent's disk steps share. */
export interface DiskStep {
  readonly installId: string;
  readonly target: Target;
  readonly manifest: Manifest;
}

export interface ProbeInput {
  readonly machineId: string;
  /** What this install itself has put on a disk is no content of it. */
  readonly installId: string;
  readonly target: Target;
  /** Firmware to assume where the disk is an image; default `uefi`. */
  readonly assumeFirmware?: 'uefi' | 'bios';
}

export interface PlanInput {
  readonly layers: readonly Layer[];
  readonly facts: Facts;
  readonly target: Target;
}

export interface PlanResult {
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  /** Empty where nothing is lost. */
  readonly destroyed: readonly Destroyed[];
  /** Digest of what each phase depends on; a phase is done again only when its own changed. */
  readonly keys: Readonly<
    Record<'build' | 'partition' | 'personalise' | 'bootloader' | 'handoff' | 'confirm', Digest>
  >;
}

export interface WriteResult {
  /** Bytes written in the attempt that finished. */
  readonly writtenBytes: number;
  /** Bytes that were found on the disk already, by hash. */
  readonly reusedBytes: number;
  /** Bytes of runs of zeros: discarded, found, or written where the disk cannot discard. */
  readonly skippedBytes: number;
}

export interface PersonaliseInput extends DiskStep {
  /** Iguana's id of the machine; the installed system reports with it. */
  readonly machineId: string;
  readonly image: ImageRef;
  /** `unique`: machine-id, SSH host keys and UUIDs of this machine. `generic`: left to the first boot. */
  readonly identity: 'unique' | 'generic';
  /** Where the installed system reports its first boot; none where nobody waits for it. */
  readonly reportUrl?: string;
}

export interface PersonaliseResult {
  /** SHA-256 of the one-time token that is on the disk. The token itself is only there. */
  readonly tokenDigest?: Digest;
  /** Paths that differ from the image, with the digest of their content; verified later. */
  readonly changedDigest: Digest;
  readonly changedCount: number;
}

export interface VerifyResult {
  readonly files: number;
  readonly bytes: number;
}

/** How a machine leaves the installer; `kexec` starts the kernel of the disk without going through the firmware. */
export type LeaveInput =
  | { readonly action: 'reboot' | 'poweroff'; readonly target: Target }
  | (DiskStep & { readonly action: 'kexec' });

/** Activities of task queue `machine/ID`: the agent's. */
export interface AgentActivities {
  probe(input: ProbeInput): Promise<Facts>;
  /**
   * Makes the partition table and the empty filesystems. Answers whether anything had to be done.
   * `approved`: what may be lost, as the probe found it; anything else on the disk is refused.
   */
  partition(input: DiskStep & { readonly approved: readonly DiskContent[] }): Promise<{ changed: boolean }>;
  writeImage(input: DiskStep & { readonly image: ImageRef }): Promise<WriteResult>;
  /** Reads the root partition back from the disk, not from the cache, and compares every chunk. */
  readBack(input: DiskStep & { readonly image: ImageRef }): Promise<{ readonly bytes: number }>;
  /** Grows the root filesystem to its partition. */
  growFilesystem(input: DiskStep & { readonly image: ImageRef }): Promise<void>;
  personalise(input: PersonaliseInput): Promise<PersonaliseResult>;
  installBootloader(input: DiskStep & { readonly image: ImageRef }): Promise<{ entry: string }>;
  /** Compares every file on the disk, read from the disk, with the image's list and with what personalise changed. */
  verify(
    input: DiskStep & { readonly image: ImageRef; readonly changedDigest: Digest },
  ): Promise<VerifyResult>;
  /** Unmounts and detaches everything that this install holds. Safe to call at any time, any number of times. */
  release(input: {
    readonly installId: string;
    readonly target: Target;
    /** The chosen disk, where one was. */
    readonly diskId?: string;
  }): Promise<void>;
  /** Leaves the installer. Refused where the target is not the machine that the agent runs on. */
  leave(input: LeaveInput): Promise<void>;
}

/** Activities of task queue `builder`. */
export interface BuilderActivities {
  /** Builds the image, fetches it where it comes from elsewhere, or finds it in the store. */
  buildImage(image: ManifestImage): Promise<ImageRef>;
}

/** Activities of task queue `control`. */
export interface ControlActivities {
  plan(input: PlanInput): Promise<PlanResult>;
  /** Checks layers that shall replace those of a running install; fails with `ProfileInvalid`. */
  checkLayers(input: { readonly layers: readonly Layer[] }): Promise<void>;
  /** Boots the disk image in QEMU and watches it until it is cancelled; answers when the machine powers off. */
  runVirtualMachine(input: VirtualMachineInput): Promise<void>;
  /** Cuts the power of a virtual machine that runs on this host; whoever runs it sees it end. */
  cutPower(input: { readonly machineId: string }): Promise<void>;
  /** Says that the first boot was not reported: always fails with `FirstBootTimeout`, and the end of the console log. */
  firstBootOverdue(input: {
    readonly machineId: string;
    readonly poweredOff: boolean;
    readonly timeoutSeconds: number;
  }): Promise<never>;
  /** Says which first-boot scripts failed: always fails with `FirstBootScriptFailed`, and the end of the console log. */
  firstBootScriptsFailed(input: {
    readonly machineId: string;
    readonly failedScripts: readonly string[];
  }): Promise<never>;
}

export interface VirtualMachineInput {
  readonly machineId: string;
  readonly path: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly sshPort: number;
  /** What it starts from, instead of its disk. */
  readonly boot?: KernelBoot;
}

/** A kernel and what it is given: files of the host, and words, which everybody on the host can read. */
export interface KernelBoot {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

/** What a long activity heartbeats, and what `status` shows. Only what is flushed counts. */
export interface Progress {
  /** What is being done now, e.g. `write root`. */
  readonly step: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  /** One line from the tool that is running, e.g. mmdebstrap, or more of how far it is; counts of bytes as `1234 bytes`. */
  readonly message?: string;
}
