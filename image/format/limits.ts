/**
 * What a reader accepts. An image comes from somewhere else: nothing is allocated by a number that was not compared with
 * these first.
 */

/** Of a manifest; registries take no larger ones (distribution-spec v1.1, "Pushing Manifests"). */
export const MAX_MANIFEST_BYTES = 4 * 2 ** 20;
/** Of the configuration: kilobytes, with a part for every partition. */
export const MAX_CONFIG_BYTES = 2 ** 20;
/** As many partitions as a GPT has, with the disk itself. */
export const MAX_PARTS = 129;
/** Of one image; an install needs three. */
export const MAX_ATTACHMENTS = 16;
/** Blocks of the image; chunks begin and end at them. */
export const BLOCK_BYTES = 4096;
/** Of one chunk, raw: what a reader holds in memory several times over. */
export const MAX_CHUNK_BYTES = 8 * 2 ** 20;
/** zstd makes incompressible data larger by less (RFC 8878; `ZSTD_compressBound`). */
export const maxPackedBytes = (rawBytes: number): number => rawBytes + (rawBytes >> 8) + 128;
/**
 * Blocks of a frame, each of which costs its reader a look: encoders make them of up to 128 KiB, rarely of less than 1 KiB, but
 * empty ones are allowed anywhere.
 */
export const maxBlocks = (rawBytes: number): number => Math.ceil(rawBytes / 1024) + 1024;
/** Of a frame's window, which a decoder holds beside the output: what every decoder is to have (RFC 8878, 3.1.1.1.2). */
export const MAX_WINDOW_BYTES = 8 * 2 ** 20;
/** Chunks of one part: with chunks of 1 MiB, two terabytes of data. */
export const MAX_CHUNKS = 2 ** 21;
/** Packs of one part: with the other blobs they must fit into a manifest. */
export const MAX_PACKS = 2 ** 13;
/** Of one part, raw; every number up to this is exact. */
export const MAX_PART_BYTES = 2 ** 50;
