/** Enabling systemd units of the target: the links that `systemctl enable` would make; see systemd.unit(5), [Install]. */
import { posix } from 'node:path';
import { type Entries, symlink } from './entry.ts';
import type { PristineTree } from './pristine.ts';

/** Where units of packages are; Debian 13 has all of them below /usr. */
const UNIT_FOLDERS = ['/etc/systemd/system', '/usr/lib/systemd/system'] as const;
const CONFIG_FOLDER = '/etc/systemd/system';

/** What a unit's [Install] section asks for. */
interface Install {
  readonly wantedBy: readonly string[];
  readonly requiredBy: readonly string[];
  readonly alias: readonly string[];
  readonly also: readonly string[];
}

/**
 * The links that enable a unit, and those that its `Also=` names.
 * @param own units that this run writes itself, by path; they are looked at first
 * @returns undefined where the target has no such unit
 */
export async function enableUnit(
  image: PristineTree,
  name: string,
  own: Entries = new Map(),
): Promise<Entries | undefined> {
  const links: Entries = new Map();
  const done = new Set<string>();
  const pending = [name];
  for (let unit = pending.shift(); unit !== undefined; unit = pending.shift()) {
    if (done.has(unit)) continue;
    done.add(unit);
    const found = await findUnit(image, unit, own);
    if (!found) {
      // A unit that is only recommended by another (`Also=`) may be in a package that was not installed.
      if (unit === name) return undefined;
      continue;
    }
    const install = parseInstall(found.text);
    for (const alias of install.alias) links.set(posix.join(CONFIG_FOLDER, alias), symlink(found.path));
    for (const target of install.wantedBy) links.set(dependency(target, 'wants', unit), symlink(found.path));
    for (const target of install.requiredBy)
      links.set(dependency(target, 'requires', unit), symlink(found.path));
    pending.push(...install.also);
  }
  return links;
}

const dependency = (target: string, kind: 'wants' | 'requires', unit: string): string =>
  posix.join(CONFIG_FOLDER, `${target}.${kind}`, unit);

async function findUnit(
  image: PristineTree,
  name: string,
  own: Entries,
): Promise<{ path: string; text: string } | undefined> {
  for (const folder of UNIT_FOLDERS) {
    const path = posix.join(folder, name);
    const written = own.get(path);
    if (written?.type === 'file') return { path, text: written.content.toString('utf8') };
    const content = await image.read(path);
    if (content) return { path, text: content.toString('utf8') };
  }
  return undefined;
}

/** @param text of a unit file */
export function parseInstall(text: string): Install {
  const values = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line.startsWith('[')) section = line;
    const [, key, value = ''] = /^([A-Za-z]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (section !== '[Install]' || key === undefined) continue;
    values.set(key, [...(values.get(key) ?? []), ...value.split(/\s+/).filter((word) => word !== '')]);
  }
  const of = (key: string): readonly string[] => values.get(key) ?? [];
  return { wantedBy: of('WantedBy'), requiredBy: of('RequiredBy'), alias: of('Alias'), also: of('Also') };
}
