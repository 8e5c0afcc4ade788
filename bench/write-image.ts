/**
 * The reference images of the benchmarks: a disk of 8 GiB with a Debian standard system, kernel, Python, git and compilers
 * (about 1.2 GiB allocated), and the same system after a security update. Kept in the cache, for they take minutes.
 *
 * The first release has what Debian 12's archive holds alone; the next the same with packages from its security archive, chosen so that
 * about 5 % of the file bytes change. There are two of the next: one whose filesystem is made anew by mkfs, as image builds do it, so that
 * files move; and one that is the first, mounted and updated by apt, where everything stays where it is but for what changed.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { requiredAptMirror } from '../host/apt-mirror.ts';
import { statePaths } from '../host/state.ts';

/** The files of a reference image. */
export interface ReferenceImage {
  /** The disk, sparse. */
  readonly raw: string;
  readonly zst: string;
  readonly gz: string;
  /** Clusters compressed with zstd. */
  readonly qcow2: string;
  /** For bmaptool: which blocks are allocated, with their digests. */
  readonly bmap: string;
  /** The allocated blocks alone, one after the other. */
  readonly allocated: string;
  readonly allocatedZst: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
}

const PACKAGES =
  'linux-image-amd64,python3,git,gcc,g++,make,openssh-server,sudo,curl,apt-utils,bind9-dnsutils,openssl';
/** The rest of what the security archive has, perl and the kernel, would be twice as much as 5 %. */
const NOT_UPDATED = 'perl|linux-image';
const KEY = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Folder of everything here. */
export const benchFolder = (): string => join(statePaths().cache, 'bench/write');

/** Which of the disks. */
export type Release = 'first' | 'made-anew' | 'updated-in-place';

/** Makes the disk where it is missing. */
export async function referenceDisk(release: Release): Promise<Pick<ReferenceImage, 'raw' | 'sizeBytes'>> {
  const folder = benchFolder();
  await mkdir(folder, { recursive: true });
  const raw = join(folder, `${release}.raw`);
  const tree = join(folder, 'tree');
  if (!(await exists(raw))) {
    if (release === 'updated-in-place') await makeUpdatedDisk((await referenceDisk('first')).raw, raw);
    else {
      await makeTree(tree);
      const updated = join(folder, 'tree-updated');
      if (release === 'made-anew') await makeUpdatedTree(tree, updated);
      await makeDisk(release === 'first' ? tree : updated, raw);
    }
  }
  return { raw, sizeBytes: (await stat(raw)).size };
}

/** Makes what is missing of the first release. */
export async function referenceImage(): Promise<ReferenceImage> {
  const { raw, sizeBytes } = await referenceDisk('first');
  const base = raw.replace(/\.raw$/, '');
  const made = (suffix: string, script: string) => makeFile(`${base}.${suffix}`, script, raw);
  const bmap = await made('bmap', 'bmaptool -q create -o "$out" "$raw"');
  const zst = await made('raw.zst', 'zstd -q -9 -T0 -o "$out" "$raw"');
  const gz = await made('raw.gz', 'gzip -6 <"$raw" >"$out"');
  const qcow2 = await made(
    'qcow2',
    'qemu-img convert -c -m 4 -W -f raw -O qcow2 -o compression_type=zstd "$raw" "$out"',
  );
  const allocated = await made(
    'allocated',
    // The ranges of the bmap are whole blocks of 4096 bytes, first and last one.
    `sed -n 's|.*<Range[^>]*> *\\([0-9-]*\\) *</Range>.*|\\1|p' "\${raw%.raw}.bmap" | while IFS=- read -r first last; do
       dd if="$raw" bs=4096 skip="$first" count="$((\${last:-$first} - first + 1))" status=none
     done >"$out"`,
  );
  const allocatedZst = await made('allocated.zst', `zstd -q -9 -T0 -o "$out" "\${raw%.raw}.allocated"`);
  const { size: allocatedBytes } = await stat(allocated);
  return { raw, zst, gz, qcow2, bmap, allocated, allocatedZst, sizeBytes, allocatedBytes };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** Runs a script that makes `$out`, under another name until it is whole. */
async function makeFile(path: string, script: string, raw: string): Promise<string> {
  if (await exists(path)) return path;
  const out = `${path}.new`;
  await rm(out, { recursive: true, force: true });
  await sh(`${script}\nmv "$out" "$path"`, { out, path, raw });
  return path;
}

async function sh(script: string, variables: Readonly<Record<string, string>>): Promise<void> {
  await execa('sh', ['-euc', script], { env: variables, stdin: 'ignore' });
}

async function makeTree(tree: string): Promise<void> {
  const { archive } = await requiredAptMirror();
  const script = `mmdebstrap --quiet --mode=root --variant=standard --include=${PACKAGES} \\
    --aptopt='Acquire::Languages "none"' bookworm "$out" "deb [signed-by=${KEY}] ${archive} bookworm main"`;
  await makeFile(tree, script, '');
}

/** As an administrator would, in the tree; what apt keeps for itself is taken away again, as images have it. */
async function makeUpdatedTree(from: string, tree: string): Promise<void> {
  await makeFile(tree, `cp -a "${from}" "$out"; ${await updateOf('$out')}`, '');
}

/** The same on the disk itself; blocks that are free afterwards are zero again, as fstrim leaves them on a disk. */
async function makeUpdatedDisk(from: string, raw: string): Promise<void> {
  const script = `
    cp --sparse=always "${from}" "$out"
    folder=$(mktemp -d)
    mount -o loop,offset=${ROOT_OFFSET} "$out" "$folder"
    trap 'umount "$folder"; rmdir "$folder"' EXIT
    ${await updateOf('$folder')}
    fstrim "$folder"
    umount "$folder"; rmdir "$folder"; trap - EXIT`;
  await makeFile(raw, script, '');
}

/** Lines of a shell that update the system in a folder. */
async function updateOf(root: string): Promise<string> {
  const { security } = await requiredAptMirror();
  return `
    cp -a "${root}/etc/resolv.conf" "${root}/etc/resolv.conf.own"
    cp --remove-destination /etc/resolv.conf "${root}/etc/resolv.conf"
    echo 'deb [signed-by=${KEY}] ${security} bookworm-security main' >"${root}/etc/apt/sources.list.d/security.list"
    chroot "${root}" apt-get update -qq
    packages=$(chroot "${root}" apt list --upgradable 2>/dev/null | sed -n 's|/.*upgradable from.*||p' | grep -vE '${NOT_UPDATED}')
    chroot "${root}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --only-upgrade $packages </dev/null >/dev/null 2>&1
    chroot "${root}" apt-get clean
    rm -rf "${root}"/var/lib/apt/lists/* "${root}"/var/cache/apt/*.bin
    mv "${root}/etc/resolv.conf.own" "${root}/etc/resolv.conf"`;
}

const ROOT_OFFSET = 2_097_152;
const ID = '6c4f5a1e-0000-4000-8000-00000000000';

/** GPT with a BIOS boot partition and ext4; all identities fixed, so that only content differs. */
async function makeDisk(tree: string, raw: string): Promise<void> {
  const script = `
    truncate -s 8G "$out"
    printf '%s\\n' 'label: gpt' 'label-id: ${ID}1' \\
      'start=2048, size=2048, uuid=${ID}2, type=21686148-6449-6E6F-744E-656564454649' \\
      'start=4096, size=16771072, uuid=${ID}3, type=L' | sfdisk -q "$out"
    E2FSPROGS_FAKE_TIME=1754697600 mkfs.ext4 -q -F -U ${ID}4 -E offset=${ROOT_OFFSET},hash_seed=${ID}5 -d "${tree}" "$out" 8385536k`;
  await makeFile(raw, script, '');
}
