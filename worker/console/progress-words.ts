/** How far a step is, in words. */
import type { Progress } from '../../activities/contract.ts';

/**
 * @param elapsedMs since the step began
 * @returns e.g. `write root, 45 % of 1234 MB, 80 MB/s, 8 s left`; undefined where nothing was reported yet
 */
export function progressWords(progress: Progress | undefined, elapsedMs: number): string | undefined {
  if (!progress) return undefined;
  const { step, doneBytes, totalBytes, message } = progress;
  const parts = [step];
  if (doneBytes !== undefined && totalBytes) {
    const bytesPerSecond = (doneBytes / Math.max(elapsedMs, 1)) * 1000;
    parts.push(`${Math.floor((100 * doneBytes) / totalBytes)} % of ${megabytes(totalBytes)} MB`);
    parts.push(`${megabytes(bytesPerSecond)} MB/s`);
    if (doneBytes > 0) parts.push(`${Math.ceil((totalBytes - doneBytes) / bytesPerSecond)} s left`);
  }
  if (message)
    parts.push(message.replace(/\b(\d+) bytes\b/g, (_, bytes: string) => `${megabytes(Number(bytes))} MB`));
  return parts.join(', ');
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);
