/** Volumes as podman takes them: `name:/path`, `/path`, `/host/path:/path`. */

const ABSOLUTE = String.raw`\/[^:\p{Cc}\p{Cs}]*`;
const NAME = '[A-Za-z0-9][A-Za-z0-9_.-]*';
const WORD =
  '(?:ro|rw|z|Z|U|O|exec|noexec|dev|nodev|suid|nosuid|r?shared|r?slave|r?private|r?bind|copy|nocopy)';

/** What a volume has to look like; a part `.` or `..` would hide where it is mounted. */
export const VOLUME_PATTERN = new RegExp(
  `^(?!.*/\\.{1,2}(?:[/:]|$))(?:${ABSOLUTE}|(?:${NAME}|${ABSOLUTE}):${ABSOLUTE}(?::${WORD}(?:,${WORD})*)?)$`,
  'u',
);

/** Every container has these. */
const BOUND: readonly string[] = ['/dev', '/iguana'];

/** @returns where a volume is mounted in the container, without superfluous slashes */
export function targetOf(volume: string): string {
  const [source = '', target = source] = volume.split(':');
  return normal(target);
}

/** Whether it says what is so for every container: podman would refuse the repetition. */
export function isBoundAnyway(volume: string): boolean {
  const [source = '', target = ''] = volume.split(':');
  return normal(source) === normal(target) && BOUND.includes(normal(target));
}

/**
 * @param volumes of one container
 * @returns for each that cannot be mounted, by its index, why
 */
export function findConflicts(volumes: readonly string[]): ReadonlyMap<number, string> {
  const seen = new Map<string, number>();
  const conflicts = new Map<number, string>();
  for (const [index, volume] of volumes.entries()) {
    if (!VOLUME_PATTERN.test(volume) || isBoundAnyway(volume)) continue;
    const target = targetOf(volume);
    const first = seen.get(target);
    if (target === '/') conflicts.set(index, 'a volume cannot take the place of the whole container');
    else if (BOUND.includes(target)) conflicts.set(index, `${target} is the machine's in every container`);
    else if (first !== undefined) conflicts.set(index, `volumes[${first}] is mounted there already`);
    seen.set(target, first ?? index);
  }
  return conflicts;
}

const normal = (path: string): string => path.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
