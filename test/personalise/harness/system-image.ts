/** A system in the store of a test's agent, as the build step leaves it: root filesystem, ESP content, list of files. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageRef } from '../../../activities/contract.ts';
import { type FileEntry, writeFileList } from '../../../store/file-list.ts';
import type { Blob } from '../../../store/image-record.ts';
import { ImageStore } from '../../../store/store.ts';
import { storeRoot } from '../../../store/store-root.ts';
import type { Agent } from '../../disk/harness/agent.ts';
import { debianTree, ENTRY_TOKEN } from './debian-tree.ts';

/** What a test's system is made of. */
export interface SystemImage {
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly sizeMiB: number;
  /** With kernel modules and all, for a system that shall boot; default false. */
  readonly whole?: boolean;
  /** Shell script that changes the tree first; it is run in its folder. */
  readonly change?: string;
}

/** How each filesystem is made of a folder, `$TREE`, in a file, `$IMAGE`, of its full size. */
const MAKE: Readonly<Record<SystemImage['filesystem'], string>> = {
  ext4: 'mkfs.ext4 -q -F -d "$TREE" "$IMAGE"',
  xfs: 'mkfs.xfs -q "$IMAGE"; M=$(mktemp -d); mount "$IMAGE" "$M"; cp -a "$TREE/." "$M"; umount "$M"; rmdir "$M"',
  btrfs: 'mkfs.btrfs -q --rootdir "$TREE" "$IMAGE"',
};

/** Most of the bytes of the tree, and nothing of what the steps look at: cases are quicker without. */
const LEFT_OUT = ['./usr/lib/modules/*/kernel', './usr/share/doc', './usr/share/locale', './usr/share/man'];

/** The letters of find's `%y`. */
const TYPES: Readonly<Record<string, FileEntry['type']>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  c: 'character',
  b: 'block',
  p: 'fifo',
  s: 'socket',
};

/** Puts a Debian into the store of the agent. */
export async function storeSystem(agent: Agent, system: SystemImage): Promise<ImageRef> {
  const store = new ImageStore(join(agent.folder, 'state/store'));
  await store.prepare();
  const work = join(store.workFolder, crypto.randomUUID());
  const tar = await debianTree();
  const leftOut = system.whole ? [] : LEFT_OUT;
  // Extracted once for each agent; every image gets a copy that it may change.
  await agent.shell(`
    BASE=${agent.folder}/base-${leftOut.length}
    if [ ! -e $BASE.done ]; then
      mkdir -p $BASE && tar --extract ${leftOut.map((path) => `--exclude='${path}'`).join(' ')} --numeric-owner --xattrs --xattrs-include='*' --directory $BASE < ${await shared(agent, tar)}
      touch $BASE.done
    fi
    mkdir ${work}
    cp -a $BASE ${work}/tree
    cd ${work}/tree
    ${system.change ?? 'true'}
  `);
  await agent.shell(espScript(work));
  await agent.shell(`
    TREE=${work}/tree IMAGE=${work}/root.img
    truncate --size ${system.sizeMiB}M "$IMAGE"
    ${MAKE[system.filesystem]}
    truncate --size ${system.sizeMiB}M "$IMAGE"
  `);
  await writeFileList(await listTree(agent, `${work}/tree`), `${work}/files`);
  await writeFile(`${work}/sbom`, '');
  const put = async (name: string): Promise<Blob> => await store.put(`${work}/${name}`);
  const root = await storeRoot(store, {
    path: `${work}/root.img`,
    filesystem: system.filesystem,
    attachments: { esp: await put('esp.tar'), files: await put('files'), sbom: await put('sbom') },
    folder: work,
  });
  const imageDigest = `sha256:${createHash('sha256').update(work).digest('hex')}` as const;
  await store.commit({
    version: 3,
    imageDigest,
    ...root,
    packageCount: 0,
    createdAt: new Date().toISOString(),
  });
  await agent.shell(`rm -r ${work}`);
  return {
    imageDigest,
    rootDigest: root.image.digest,
    rootBytes: root.rootBytes,
    dataBytes: root.dataBytes,
    espDigest: root.esp.digest,
    filesDigest: root.files.digest,
    sbomDigest: root.sbom.digest,
    packageCount: 0,
  };
}

/** The agent sees only its own folder. */
async function shared(agent: Agent, tar: string): Promise<string> {
  const path = join(agent.folder, 'base.tar');
  await writeFile(path, await readFile(tar));
  return path;
}

const espScript = (work: string): string => `
  R=${work}/tree E=${work}/esp
  K=$(ls $R/usr/lib/modules)
  mkdir -p $E/EFI/BOOT $E/EFI/systemd $E/loader $E/${ENTRY_TOKEN}/$K
  cp $R/usr/lib/systemd/boot/efi/systemd-bootx64.efi* $E/EFI/systemd/systemd-bootx64.efi
  cp $E/EFI/systemd/systemd-bootx64.efi $E/EFI/BOOT/BOOTX64.EFI
  printf 'timeout 0\\n' > $E/loader/loader.conf
  printf 'type1\\n' > $E/loader/entries.srel
  cp $R/boot/vmlinuz-$K $E/${ENTRY_TOKEN}/$K/linux
  cp $R/boot/initrd.img-$K $E/${ENTRY_TOKEN}/$K/initrd.img
  tar --create --file ${work}/esp.tar --directory $E .
`;

async function listTree(agent: Agent, tree: string): Promise<FileEntry[]> {
  const listing = await agent.shell(`cd ${tree}; find . -printf '/%P\\t%y\\t%m\\t%U\\t%G\\t%s\\t%l\\n'`);
  const sums = await agent.shell(`cd ${tree}; find . -type f -print0 | xargs -0 sha256sum`);
  const digests = new Map(sums.split('\n').map((line) => [line.slice(67), line.slice(0, 64)]));
  return listing
    .split('\n')
    .map((line) => {
      const [path = '', letter = '', mode = '', uid, gid, size, link] = line.split('\t');
      const type = TYPES[letter] ?? 'socket';
      const digest = type === 'file' ? digests.get(path) : undefined;
      return {
        path,
        type,
        mode: Number.parseInt(mode, 8),
        uid: Number(uid),
        gid: Number(gid),
        size: type === 'file' ? Number(size) : 0,
        ...(digest !== undefined && { digest: `sha256:${digest}` as const }),
        ...(type === 'symlink' && { link: link ?? '' }),
      };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
