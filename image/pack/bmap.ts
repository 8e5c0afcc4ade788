/** Block maps, as bmaptool(1) makes them: which blocks of an image mean something, with the SHA-256 of each range. */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { errorCode, ImageIoError } from '../io-error.ts';
import { BadInput } from './bad-input.ts';

/** A range that means something. */
export interface MappedRange {
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

/** A map that cannot be used. Who never asked for it learns how to do without. */
export const wrongMap = (doing: string, what: string, cause?: unknown): BadInput =>
  new BadInput(
    `${doing}: ${what}; where it is not of this image, \`--no-bmap\` packs without it`,
    cause === undefined ? {} : { cause },
  );

/** Which names of a map are tried for `disk.img.zst`: bmaptool's, `disk.img.zst.bmap`, `disk.img.bmap` and `disk.bmap`; or only the first. */
export type MapNames = 'bmaptool' | 'own';

/**
 * The block map beside an image: the first of these names that is there.
 * @returns undefined where there is none
 * @throws BadInput where it is there and cannot be used
 */
export async function bmapBeside(image: string, names: MapNames): Promise<BlockMap | undefined> {
  for (const path of names === 'own' ? [`${image}.bmap`] : candidatesOf(image)) {
    try {
      return parseBmap(path, await readMap(path));
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

/** Whatever has such a name: it is looked at before it is read. */
async function readMap(path: string): Promise<string> {
  const found = await stat(path);
  if (!found.isFile()) throw wrongMap(doingOf(path), 'it is no file');
  if (found.size > MAX_MAP_BYTES)
    throw wrongMap(doingOf(path), `it has ${found.size} bytes, and a map at most ${MAX_MAP_BYTES}`);
  return await readFile(path, 'utf8');
}

const doingOf = (path: string): string => `reading the block map ${path}`;

/** @throws BadInput */
function parseBmap(path: string, text: string): BlockMap {
  const doing = doingOf(path);
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
    throw wrongMap(doing, 'it is no block map of bmaptool', cause);
  }
  const { ImageSize: sizeBytes, BlockSize: block, ChecksumType: type } = map;
  const hasSha256 = type === undefined || type.trim() === 'sha256';
  let before = 0;
  const ranges = map.BlockMap.Range.map(({ text: range, chksum }) => {
    const [, first = '', last = first] = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(range) ?? [];
    const start = Number(first) * block;
    const end = Math.min(sizeBytes, (Number(last) + 1) * block);
    if (first === '' || start < before || end <= start)
      throw wrongMap(
        doing,
        `range ${range.trim()} is out of order, or beyond the ${sizeBytes} bytes of the image`,
      );
    before = end;
    return { start, end, sha256: hasSha256 ? chksum?.trim() : undefined };
  });
  return { path, sizeBytes, ranges };
}
