/** Images of QEMU in its own format. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { BadInput } from './bad-input.ts';
import type { ImageInput } from './input.ts';
import { readRaw } from './raw-input.ts';

/** `QFI\xfb`; docs/interop/qcow2 of QEMU. */
export const QCOW2_MAGIC = Buffer.from('514649fb', 'hex');

/**
 * The input, by way of a raw file that is as sparse as the image.
 * @throws BadInput where it depends on another file: one that an attacker names would be read, and packed
 */
export async function readQcow2(path: string): Promise<ImageInput> {
  const about = await qemuImg(['info', '--output=json', path], `reading ${path}`);
  const info = JSON.parse(about) as { 'virtual-size': number; 'backing-filename'?: string };
  const backing = info['backing-filename'];
  if (backing !== undefined)
    throw new BadInput(
      `reading ${path}: it is only what differs from ${backing}; \`qemu-img convert\` makes it whole`,
    );
  return {
    name: path,
    sizeBytes: info['virtual-size'],
    async *read(signal) {
      // Beside it, where there is room for one of its size.
      const folder = await mkdtemp(join(dirname(path) || tmpdir(), '.iguana-qcow2-'));
      try {
        const raw = join(folder, 'raw');
        await qemuImg(['convert', '-f', 'qcow2', '-O', 'raw', path, raw], `converting ${path}`, signal);
        yield* (await readRaw(raw)).read(signal);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function qemuImg(args: readonly string[], doing: string, signal?: AbortSignal): Promise<string> {
  const result = await execa('qemu-img', args, { reject: false, ...(signal && { cancelSignal: signal }) });
  signal?.throwIfAborted();
  if (result.failed)
    throw new BadInput(`${doing}: qemu-img: ${result.stderr || result.shortMessage}`, { cause: result });
  return result.stdout;
}
