/** A machine case: a disk with an image on it, ready to be made into one machine. */
import type { ImageRef, PersonaliseInput, PersonaliseResult } from '../../../activities/contract.ts';
import { type Manifest, manifestSchema } from '../../../manifest/schema/manifest.ts';
import type { Agent } from '../../disk/harness/agent.ts';
import { type CasePartition, caseManifest, MIB } from '../../disk/harness/manifests.ts';

/** A partition with its mount point. */
export interface MachinePartition extends CasePartition {
  readonly mountPoint?: string;
  readonly mountOptions?: readonly string[];
}

/** What the case is about. */
export interface MachineCaseInput {
  readonly sizeMiB: number;
  readonly partitions: readonly MachinePartition[];
  /** Machine part as a profile has it; defaults are filled in. */
  readonly machine?: MachinePart;
  readonly image: ImageRef;
}

/** Machine part before defaults. */
export type MachinePart = Partial<Record<keyof Manifest['machine'], unknown>>;

/** Options of personalising. */
export type PersonaliseOptions = Partial<Pick<PersonaliseInput, 'identity' | 'reportUrl'>>;

let lastCase = 0;

/** One disk of one machine. */
export class MachineCase {
  readonly agent: Agent;
  readonly path: string;
  readonly manifest: Manifest;
  readonly image: ImageRef;
  readonly #installId: string;

  private constructor(agent: Agent, path: string, manifest: Manifest, image: ImageRef, installId: string) {
    this.agent = agent;
    this.path = path;
    this.manifest = manifest;
    this.image = image;
    this.#installId = installId;
  }

  /** A case on a new disk image. */
  static create(agent: Agent, { sizeMiB, partitions, machine, image }: MachineCaseInput): MachineCase {
    const path = `${agent.folder}/machine-${++lastCase}.img`;
    const disk = { id: `file:${path}`, sizeBytes: sizeMiB * MIB, sectorBytes: 512 };
    const bare = partitions.map(({ mountPoint: _, mountOptions: __, ...partition }) => partition);
    const manifest = caseManifest(disk, bare);
    for (const [index, { mountPoint, mountOptions = [] }] of partitions.entries()) {
      Object.assign(manifest.storage.partitions[index] ?? {}, {
        mountPoint,
        mountOptions: [...mountOptions],
      });
    }
    // As in life: UUIDs follow from it, and disks of killed tests may still be attached.
    const installId = `machine-${lastCase}/${crypto.randomUUID()}`;
    return new MachineCase(agent, path, manifest, image, installId).amended(machine ?? {});
  }

  /** The same disk with another machine part. */
  amended(machine: MachinePart): MachineCase {
    const manifest = manifestSchema.parse({
      ...this.manifest,
      machine: { hostname: 'case', network: [], users: [], groups: [], files: [], firstBoot: [], ...machine },
    });
    return new MachineCase(this.agent, this.path, manifest, this.image, this.#installId);
  }

  /** The same case on a copy of the disk at the same path, as it was when {@link keep} was called. */
  async restore(): Promise<void> {
    await this.release();
    await this.agent.shell(`cp --sparse=always ${this.path}.kept ${this.path}`);
  }

  /** Keeps the disk as it is now for {@link restore}. */
  async keep(): Promise<void> {
    await this.release();
    await this.agent.shell(`cp --sparse=always ${this.path} ${this.path}.kept`);
  }

  get step() {
    const { sizeBytes } = this.manifest.storage.disk;
    const target = { kind: 'file', path: this.path, sizeBytes } as const;
    return { installId: this.#installId, target, manifest: this.manifest, image: this.image };
  }

  /** Input of the step that is tested. */
  personaliseInput(options: PersonaliseOptions = {}): PersonaliseInput {
    return { ...this.step, machineId: 'machine-1', identity: 'unique', ...options };
  }

  /** Partitions the disk and writes the image. */
  async write(): Promise<void> {
    await this.agent.run('partition', { ...this.step, approved: [] });
    await this.agent.run('writeImage', this.step);
    await this.agent.run('growFilesystem', this.step);
  }

  async personalise(options: PersonaliseOptions = {}): Promise<PersonaliseResult> {
    return await this.agent.run('personalise', this.personaliseInput(options));
  }

  async bootloader(): Promise<{ entry: string }> {
    return await this.agent.run('installBootloader', this.step);
  }

  async verify({ changedDigest }: PersonaliseResult): Promise<{ files: number; bytes: number }> {
    return await this.agent.run('verify', { ...this.step, changedDigest });
  }

  async release(): Promise<void> {
    await this.agent.run('release', this.step);
  }

  /**
   * Runs a shell script of the judge with the system mounted at `$ROOT` as its own fstab says, apart from all that
   * Iguana mounts. What the script changes stays on the disk.
   */
  async look(script: string): Promise<string> {
    await this.release();
    const mounts = this.manifest.storage.partitions
      .map(({ mountPoint, filesystem, offsetBytes, sizeBytes }) => ({
        mountPoint,
        filesystem,
        offsetBytes,
        sizeBytes,
      }))
      .filter(({ mountPoint, filesystem }) => mountPoint !== undefined && filesystem !== 'vfat')
      .sort((a, b) => (a.mountPoint ?? '').length - (b.mountPoint ?? '').length)
      .map(
        ({ mountPoint, offsetBytes, sizeBytes }) =>
          `mount -o loop,offset=${offsetBytes},sizelimit=${sizeBytes} ${this.path} "$ROOT${mountPoint}"`,
      );
    const output = await this.agent.shell(`
      ROOT=$(mktemp -d)
      trap 'cd /; umount --recursive "$ROOT"; rmdir "$ROOT"' EXIT
      ${mounts.join('\n')}
      cd "$ROOT"
      ${script}
    `);
    return output;
  }

  /** Runs a script with the ESP at `$ESP` for mtools. */
  async lookAtEsp(script: string): Promise<string> {
    await this.release();
    const esp = this.manifest.storage.partitions.find(({ type }) => type === 'esp');
    return await this.agent.shell(`ESP=${this.path}@@${esp?.offsetBytes}\n${script}`);
  }

  /** Everything on the disk that is not unique to this very run: one line a path, with checksums of content. */
  async snapshot(): Promise<string> {
    const unique = [
      './etc/ssh/ssh_host_*',
      './etc/iguana/record.json',
      './etc/iguana/changes.json',
      './etc/iguana/first-boot/token',
      '*/.iguana-moved',
    ];
    const prune = unique.map((path) => `! -path '${path}'`).join(' ');
    const tree = await this.look(`
      find . ${prune} -printf '%P %y %m %U %G %l\\n' | sort
      find . ${prune} -type f -print0 | sort --zero-terminated | xargs -0 sha256sum
    `);
    const esp = await this.lookAtEsp(`
      mdir -/ -b -i "$ESP" :: | sort
      for F in $(mdir -/ -b -i "$ESP" :: | grep -v '/$'); do printf '%s ' "$F"; mtype -i "$ESP" "$F" | sha256sum; done
    `);
    return `${tree}\n${esp}`;
  }
}
