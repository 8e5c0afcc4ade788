/** How numbers, times and digests are written for people. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Bytes in binary units, e.g. `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Text in which counts of bytes are written for people, e.g. `280 MiB written` for `293601280 bytes written`. */
export function withReadableBytes(text: string): string {
  return text.replace(/\b(\d+) bytes\b/g, (_match, bytes: string) => formatBytes(Number(bytes)));
}

/** A duration in its two largest units, e.g. `3 min 20 s`; tenths below ten seconds. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** Time between two moments in ISO 8601; the end defaults to now. */
export function formatBetween(start: string, end?: string): string {
  return formatDuration((end ? Date.parse(end) : Date.now()) - Date.parse(start));
}

/** A moment in local time, e.g. `2026-11-23 07:12:03`. */
export function formatTime(moment: string | Date): string {
  const date = new Date(moment);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A digest cut to what people compare by eye, e.g. `sha256:9f86d081884c`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}

/** A word with its number, e.g. `1 disk`, `2 disks`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
