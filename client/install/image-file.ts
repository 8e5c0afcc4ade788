/** A disk image as a file of its own: written under a temporary name, and renamed when it is whole. */
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import { CommandError, usageError } from '../errors.ts';
import type { Iguana } from '../library.ts';
import { makeLayer } from './layers.ts';
import { type FileTarget, newImage } from './target.ts';

/** What makes an install one of a file that is booted elsewhere, by anybody, any number of times. */
export const GENERIC_LAYER = makeLayer(
  'image build',
  JSON.stringify({
    apiVersion: 'iguana/v1',
    kind: 'Profile',
    handoff: { action: 'none' },
    confirmation: { wait: 'none' },
  }),
);

/** sysfs and stat(2) count blocks of a file in these. */
const BLOCK_BYTES = 512;

/** A disk image to be made. */
export interface ImageFile {
  readonly machineId: string;
  readonly target: FileTarget;
  /** Removes what an earlier build left, where none is running. */
  clear(iguana: Iguana): Promise<void>;
  /** Gives the finished image its format and its name. */
  finish(): Promise<{ path: string; format: string; bytes: number }>;
}

/**
 * Prepares making a disk image.
 * @param path of the file to make
 * @throws CommandError (usage) where it exists already, or cannot be made there
 */
export async function prepareImageFile(
  path: string,
  options: { readonly format: 'raw' | 'qcow2'; readonly size?: string; readonly force?: boolean },
): Promise<ImageFile> {
  if (!options.force && (await exists(path))) {
    throw usageError(`${path} exists already`, { remedy: 'Give another name, or replace it with --force.' });
  }
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  const { target, machineId } = await newImage(partial, options.size);
  return {
    machineId,
    target,
    async clear(iguana) {
      if (!(await iguana.isRunning(machineId))) await rm(target.path, { force: true });
    },
    async finish() {
      const whole = options.format === 'raw' ? target.path : await convert(target.path, options.format);
      await rename(whole, path);
      if (whole !== target.path) await rm(target.path);
      const { blocks } = await stat(path);
      return { path, format: options.format, bytes: blocks * BLOCK_BYTES };
    },
  };
}

async function convert(raw: string, format: string): Promise<string> {
  const converted = `${raw}.${format}`;
  try {
    await execa('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, converted]);
    return converted;
  } catch (cause) {
    await rm(converted, { force: true });
    throw new CommandError(`converting ${raw} to ${format}`, {
      remedy: '`iguana doctor` tells how to get qemu-img. The raw image is kept.',
      cause,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
