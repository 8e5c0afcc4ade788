/** Facts of a disk that is a file. */
import type { DiskFacts } from '../../manifest/schema/facts.ts';
import { diskContents } from '../disk/contents.ts';
import { checkImageFile } from '../disk/image-file.ts';
import { imageHolders } from '../disk/image-holders.ts';
import { isOwnDisk } from '../partition/own-disk.ts';

/** What a loop device has. */
const SECTOR_BYTES = 512;

/**
 * Facts of a disk image. Where the file does not exist they are those of the empty disk that it will be: probing
 * makes nothing.
 * @throws failure `DiskChanged` where it is something else than a file of `sizeBytes`
 */
export async function imageFacts(path: string, sizeBytes: number, installId: string): Promise<DiskFacts> {
  const exists = (await checkImageFile(path, sizeBytes)) !== undefined;
  const id = `file:${path}`;
  const isOwn = exists && (await isOwnDisk({ id, path }, { installId, diskId: id }));
  return {
    id,
    sizeBytes,
    logicalSectorBytes: SECTOR_BYTES,
    physicalSectorBytes: SECTOR_BYTES,
    transport: 'file',
    rotational: false,
    removable: false,
    readOnly: false,
    installMedium: false,
    contents: exists && !isOwn ? await diskContents(path, sizeBytes) : [],
    holders: exists ? await imageHolders(path) : [],
  };
}
