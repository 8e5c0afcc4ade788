/** The crew for a request, and how much it takes at once. */
import { BATCHES_PER_THREAD, Crew } from './crew.ts';
import { Fetcher } from './fetcher.ts';
import { PackedMemory } from './packed-memory.ts';
import type { BatchLimits } from './plan.ts';
import type { WritePart, WriteRequest } from './request.ts';
import { defaultThreads, endSpareThreads } from './threads.ts';

const SLABS_PER_THREAD = 2;
const SLAB_BYTES = 2 << 20;
const PACKED_BYTES = 1 << 20;
const WASM_PAGE_BYTES = 64 << 10;
/** With more chunks than this, their planning takes the memory of a thread. */
const MANY_CHUNKS = 2 ** 17;
/** Chunks that are longer than this take the memory of a thread. */
const LONG_CHUNK_BYTES = 4 << 20;
/** A write stays below 256 MiB with so many, and one less for each of the above. */
const MOST_THREADS = 4;

/** Starts the threads. @param access of the target: `r` where it is only compared */
export function startCrew(
  request: Pick<WriteRequest, 'part' | 'source' | 'target' | 'targetOffset' | 'threads'>,
  access: 'r' | 'r+',
): { readonly crew: Crew; readonly limits: BatchLimits } {
  const { part, source, target, targetOffset = 0, threads: wanted = defaultThreads() } = request;
  const threads = Math.min(wanted, mostThreads(part));
  const slabBytes = Math.ceil(Math.max(SLAB_BYTES, part.maxChunkBytes) / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
  const abort = new AbortController();
  const memory = new PackedMemory(threads * BATCHES_PER_THREAD);
  const allocate = (bytes: number): Buffer => memory.take(bytes);
  const crew = new Crew(
    threads,
    { sourceName: source.name, target, access, targetOffset, slabs: SLABS_PER_THREAD, slabBytes },
    { fetcher: new Fetcher(source, part.packs, { signal: abort.signal, allocate }), abort, memory },
  );
  endSpareThreads();
  return { crew, limits: { rawBytes: slabBytes, packedBytes: PACKED_BYTES } };
}

const mostThreads = ({ count, maxChunkBytes }: WritePart): number =>
  MOST_THREADS - Number(count > MANY_CHUNKS) - Number(maxChunkBytes > LONG_CHUNK_BYTES);
