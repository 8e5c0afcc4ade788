/** Root filesystem images in the store of a test's agent, made by mkfs from a small tree. */
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageRef } from '../../../activities/contract.ts';
import { ImageStore } from '../../../store/store.ts';
import { storeRoot } from '../../../store/store-root.ts';
import type { Agent } from './agent.ts';

/** An image that a case asks for. */
export interface CaseImage {
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly sizeMiB: number;
  /** Size of a file of noise in it; the rest stays empty. */
  readonly noiseMiB: number;
}

/** An image in the store. */
export interface StoredImage {
  readonly ref: ImageRef;
  /** The raw filesystem image, which is not in the store. */
  readonly path: string;
  /** The blob with the chunk table. */
  readonly tablePath: string;
  /** The first blob with chunks. */
  readonly packPath: string;
}

/** How each filesystem is made of a folder, `$TREE`, in a file, `$IMAGE`, of its full size. */
const MAKE: Readonly<Record<CaseImage['filesystem'], string>> = {
  ext4: 'mkfs.ext4 -q -F -d "$TREE" "$IMAGE"',
  xfs: 'mkfs.xfs -q "$IMAGE"; M=$(mktemp -d); mount "$IMAGE" "$M"; cp -r "$TREE/." "$M"; umount "$M"; rmdir "$M"',
  btrfs: 'mkfs.btrfs -q --rootdir "$TREE" "$IMAGE"',
};

/** Where the noise is in the image's filesystem. */
export const NOISE_FILE = 'usr/noise';

/** The store that the agent reads. */
export const storeOf = (agent: Agent): ImageStore => new ImageStore(join(agent.folder, 'state/store'));

/** Puts an image into the store of the agent. */
export async function storeImage(
  agent: Agent,
  { filesystem, sizeMiB, noiseMiB }: CaseImage,
): Promise<StoredImage> {
  const store = storeOf(agent);
  await store.prepare();
  const image = join(store.workFolder, `root-${crypto.randomUUID()}.img`);
  await agent.shell(`
    IMAGE=${image}
    TREE=$(mktemp -d)
    mkdir "$TREE/usr"
    dd if=/dev/urandom of="$TREE/${NOISE_FILE}" bs=1M count=${noiseMiB} status=none
    truncate --size ${sizeMiB}M "$IMAGE"
    ${MAKE[filesystem]}
    truncate --size ${sizeMiB}M "$IMAGE"
    rm -r "$TREE"
  `);
  return await storeRaw(agent, { path: image, filesystem });
}

/** Puts a filesystem image that is a file of the agent's folder into its store. */
export async function storeRaw(
  agent: Agent,
  { path: image, filesystem }: Pick<StoredImage, 'path'> & Pick<CaseImage, 'filesystem'>,
): Promise<StoredImage> {
  const store = storeOf(agent);
  const empty = `${image}.empty`;
  await writeFile(empty, '');
  const none = await store.put(empty);
  const root = await storeRoot(store, {
    path: image,
    filesystem,
    attachments: { esp: none, files: none, sbom: none },
    folder: `${image}.work`,
  });
  await rm(`${image}.work`, { recursive: true });
  const imageDigest = `sha256:${createHash('sha256').update(image).digest('hex')}` as const;
  const { rootBytes, dataBytes } = root;
  await store.commit({
    version: 3,
    imageDigest,
    ...root,
    packageCount: 0,
    createdAt: new Date().toISOString(),
  });
  const [, table, pack] = root.imageBlobs;
  if (!table || !pack) throw new Error('the image has no chunks');
  return {
    ref: {
      imageDigest,
      rootDigest: root.image.digest,
      rootBytes,
      dataBytes,
      espDigest: none.digest,
      filesDigest: none.digest,
      sbomDigest: none.digest,
      packageCount: 0,
    },
    path: image,
    tablePath: store.blobPath(table.digest),
    packPath: store.blobPath(pack.digest),
  };
}
