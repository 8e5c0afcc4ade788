/** The crew for a request, and how much it takes at once. */
import { availableParallelism } from 'node:os';
import { Crew } from './crew.ts';
import { Fetcher } from './fetcher.ts';
import type { BatchLimits } from './plan.ts';
import type { WriteRequest } from './request.ts';

const MAX_THREADS = 4;
const SLABS_PER_THREAD = 2;
const SLAB_BYTES = 2 << 20;
const PACKED_BYTES = 1 << 20;
const WASM_PAGE_BYTES = 64 << 10;

/** Starts the threads. @param access of the target: `r` where it is only compared */
export function startCrew(
  request: Pick<WriteRequest, 'part' | 'source' | 'target' | 'targetOffset' | 'threads'>,
  access: 'r' | 'r+',
): { readonly crew: Crew; readonly limits: BatchLimits } {
  const { part, source, target, targetOffset = 0, threads = defaultThreads() } = request;
  const slabBytes = Math.ceil(Math.max(SLAB_BYTES, part.maxChunkBytes) / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
  const abort = new AbortController();
  const crew = new Crew(
    threads,
    { sourceName: source.name, target, access, targetOffset, slabs: SLABS_PER_THREAD, slabBytes },
    { fetcher: new Fetcher(source, part.packs, abort.signal), abort },
  );
  return { crew, limits: { rawBytes: slabBytes, packedBytes: PACKED_BYTES } };
}

const defaultThreads = (): number => Math.min(MAX_THREADS, availableParallelism());
