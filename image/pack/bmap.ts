/** Block maps, as bmaptool(1) makes them: which blocks of an image mean something, with the SHA-256 of each range. */
import { createHash, type Hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { errorCode, ImageIoError } from '../io-error.ts';
import { BadInput } from './bad-input.ts';
import type { ImageInput } from './input.ts';

/** A range that means something. */
interface MappedRange {
  readonly start: number;
  /** The byte behind it. */
  readonly end: number;
  /** Hexadecimal; older maps have none. */
  readonly sha256: string | undefined;
}

/** A block map. */
export interface BlockMap {
  readonly path: string;
  readonly sizeBytes: number;
  readonly ranges: readonly MappedRange[];
}

/** Formats 1.x and 2.0 differ in the names of checksums only. */
const rangeSchema = z.union([
  z.string().transform((text) => ({ text, chksum: undefined })),
  z
    .object({ '#text': z.string(), chksum: z.string().optional(), sha256: z.string().optional() })
    .transform((range) => ({ text: range['#text'], chksum: range.chksum ?? range.sha256 })),
]);
const count = z.string().transform((text) => Number(text.trim()));
const mapSchema = z.object({
  bmap: z.object({
    ImageSize: count.pipe(z.number().int().nonnegative()),
    BlockSize: count.pipe(z.number().int().positive()),
    ChecksumType: z.string().optional(),
    BlockMap: z.object({ Range: z.union([z.array(rangeSchema), rangeSchema.transform((one) => [one])]) }),
  }),
});

/** A map is tens of kilobytes. */
const MAX_MAP_BYTES = 64 * 2 ** 20;

/**
 * The block map beside an image, where bmaptool(1) itself looks for it: `disk.img.zst` has `disk.img.zst.bmap`, `disk.img.bmap` or
 * `disk.bmap`; the first of these that is there.
 * @returns undefined where there is none
 * @throws BadInput where it is there and cannot be used
 */
export async function bmapBeside(image: string): Promise<BlockMap | undefined> {
  for (const path of candidatesOf(image)) {
    try {
      const text = await readFile(path, 'utf8');
      return parseBmap(path, text);
    } catch (error) {
      if (error instanceof BadInput) throw error;
      if (errorCode(error) !== 'ENOENT') throw new ImageIoError(`reading ${path}`, error);
    }
  }
  return undefined;
}

function* candidatesOf(image: string): Generator<string> {
  for (let path = image, ending: string; ; path = path.slice(0, -ending.length)) {
    if (`${path}.bmap` !== image) yield `${path}.bmap`;
    ending = extname(path);
    if (ending === '') return;
  }
}

/** @throws BadInput */
export function parseBmap(path: string, text: string): BlockMap {
  const doing = `reading the block map ${path}`;
  if (text.length > MAX_MAP_BYTES) throw new BadInput(`${doing}: it is too large`);
  let map: z.infer<typeof mapSchema>['bmap'];
  try {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      parseTagValue: false,
      processEntities: false,
    });
    map = mapSchema.parse(parser.parse(text)).bmap;
  } catch (cause) {
    throw new BadInput(`${doing}: it is no block map of bmaptool`, { cause });
  }
  const { ImageSize: sizeBytes, BlockSize: block, ChecksumType: type } = map;
  const hasSha256 = type === undefined || type.trim() === 'sha256';
  let before = 0;
  const ranges = map.BlockMap.Range.map(({ text: range, chksum }) => {
    const [, first = '', last = first] = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(range) ?? [];
    const start = Number(first) * block;
    const end = Math.min(sizeBytes, (Number(last) + 1) * block);
    if (first === '' || start < before || end <= start)
      throw new BadInput(
        `${doing}: range ${range.trim()} is out of order, or beyond the ${sizeBytes} bytes of the image`,
      );
    before = end;
    return { start, end, sha256: hasSha256 ? chksum?.trim() : undefined };
  });
  return { path, sizeBytes, ranges };
}

/** The input with zeros for everything that its map leaves out, and the rest compared with the map's checksums. */
export function withBmap(input: ImageInput, map: BlockMap): ImageInput {
  const doing = `comparing ${input.name} with its block map ${map.path}`;
  if (input.sizeBytes !== map.sizeBytes)
    throw new BadInput(
      `${doing}: the map is of an image of ${map.sizeBytes} bytes, this one has ${input.sizeBytes}`,
    );
  return {
    name: input.name,
    sizeBytes: input.sizeBytes,
    blockMap: map.path,
    async *read(signal) {
      const mask = new Mask(doing, map);
      for await (const piece of input.read(signal)) yield mask.apply(piece);
    },
  };
}

/** Follows the map along a stream. */
class Mask {
  readonly #doing: string;
  readonly #ranges: readonly MappedRange[];
  #at = 0;
  #next = 0;
  #hash: Hash = createHash('sha256');

  constructor(doing: string, { ranges }: BlockMap) {
    this.#doing = doing;
    this.#ranges = ranges;
  }

  /** @throws BadInput where a range that ends in this piece is not what the map says */
  apply(piece: Buffer): Buffer {
    const end = this.#at + piece.length;
    const masked = Buffer.alloc(piece.length);
    for (let range = this.#ranges[this.#next]; range && range.start < end; range = this.#ranges[this.#next]) {
      const from = Math.max(range.start, this.#at) - this.#at;
      const to = Math.min(range.end, end) - this.#at;
      const bytes = piece.subarray(from, to);
      bytes.copy(masked, from);
      this.#hash.update(bytes);
      if (range.end > end) break;
      this.#compare(range);
      this.#next += 1;
    }
    this.#at = end;
    return masked;
  }

  #compare({ start, end, sha256 }: MappedRange): void {
    const found = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    if (sha256 !== undefined && sha256.toLowerCase() !== found)
      throw new BadInput(
        `${this.#doing}: bytes ${start} to ${end}: expected SHA-256 ${sha256}, found ${found}`,
      );
  }
}
