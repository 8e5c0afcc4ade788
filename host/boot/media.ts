/** What machines start from that fetch no kernel and initrd: firmware that fetches one program, CDs, USB sticks. */
import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import type { BootImage } from './boot-image.ts';
import { makeIso } from './iso.ts';
import { uefiStub } from './stub.ts';
import { makeUki } from './uki.ts';

/** Files beside those of a {@link BootImage}. */
export interface BootMedia {
  /** `iguana.efi`, a unified kernel image. */
  readonly uki: string;
  readonly ukiBytes: number;
  /** `iguana.iso`, for CDs and, byte by byte, for USB sticks. */
  readonly iso: string;
  readonly isoBytes: number;
}

/**
 * Makes the media of a boot image, in a folder. The same boot image gives the same bytes.
 * @param onLine told what is being done, a line for people
 * @throws Error with what mmdebstrap, objcopy, mtools or xorriso said
 */
export async function makeBootMedia(
  paths: StatePaths,
  image: Pick<BootImage, 'kernel' | 'initrd'>,
  folder: string,
  onLine: (line: string) => void,
): Promise<BootMedia> {
  const { path: stub } = await withLock(join(paths.cache, 'containers/boot.lock'), () =>
    uefiStub(join(paths.cache, 'containers/layers'), onLine),
  );
  const work = await mkdtemp(join(folder, '.media-'));
  try {
    onLine('boot image: making the program for UEFI and the medium');
    const made = { uki: join(work, 'iguana.efi'), iso: join(work, 'iguana.iso') };
    await makeUki({ ...image, stub }, made.uki);
    await makeIso(made.uki, made.iso);
    const { uki, iso } = { uki: join(folder, 'iguana.efi'), iso: join(folder, 'iguana.iso') };
    await rename(made.uki, uki);
    await rename(made.iso, iso);
    return { uki, ukiBytes: (await stat(uki)).size, iso, isoBytes: (await stat(iso)).size };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
