/** The keys of payloads: one file of the state folder, made at the first use, read again when another process has changed it. */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '../json-file.ts';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';

const KEY_BYTES = 32;
const ID_BYTES = 8;
/** A change by another process is seen after this time. */
const CACHED_MS = 1_000;
/** Permissions of anybody but the owner. */
const OTHERS = 0o077;

/** A key as it is kept. */
export interface CodecKey {
  /** Hexadecimal; stands in clear text beside each payload. */
  readonly id: string;
  /** 32 bytes, base64. */
  readonly key: string;
  /** ISO 8601. From then on new payloads use it, until the next key's time has come. */
  readonly usedFrom: string;
}

/** A key, without what is secret. */
export interface CodecKeyInfo {
  readonly id: string;
  readonly usedFrom: string;
  /** Whether new payloads use it now. */
  readonly inUse: boolean;
}

/** What keeps a payload from being read or made. The message says what to do. */
export class PayloadRefused extends Error {
  override readonly name = 'PayloadRefused';
}

/** @returns the folder of the keys, which containers of this host are given as a whole: files in it are replaced */
export const codecFolder = ({ root }: Pick<StatePaths, 'root'>): string => join(root, 'codec');
/** @returns the file of the keys; mode 0600 */
export const codecKeysFile = (paths: Pick<StatePaths, 'root'>): string =>
  join(codecFolder(paths), 'keys.json');

/** The keys of a state folder. Any number of processes may use them at once. */
export class CodecKeys {
  readonly file: string;
  readonly #lock: string;
  #cache: { readonly at: number; readonly keys: Promise<readonly CodecKey[]> } | undefined;

  constructor(paths: Pick<StatePaths, 'root'>) {
    this.file = codecKeysFile(paths);
    this.#lock = join(codecFolder(paths), 'lock');
  }

  /**
   * The key for new payloads; makes the first one where there is none.
   * @throws PayloadRefused where the file is not what it has to be
   */
  async current(): Promise<CodecKey> {
    const known = currentOf(await this.#read());
    if (known) return known;
    const { id } = await this.add(new Date());
    const made = await this.find(id);
    if (!made) throw new PayloadRefused(`reading ${this.file}: the key that was just made is gone`);
    return made;
  }

  /** The key of an old payload; undefined where it is not kept here. */
  async find(id: string): Promise<CodecKey | undefined> {
    const named = (keys: readonly CodecKey[]) => keys.find((key) => key.id === id);
    const known = named(await this.#read());
    if (known) return known;
    // Made by another process a moment ago.
    this.#cache = undefined;
    return named(await this.#read());
  }

  /** All of them, the oldest first. */
  async list(): Promise<CodecKeyInfo[]> {
    this.#cache = undefined;
    const keys = await this.#read();
    const current = currentOf(keys);
    return keys.map(({ id, usedFrom }) => ({ id, usedFrom, inUse: id === current?.id }));
  }

  /**
   * Makes another key. The first one is made once, however many processes need it.
   * @param usedFrom new payloads use it from then on
   */
  async add(usedFrom: Date): Promise<CodecKeyInfo> {
    const asked = await this.#read();
    return await withLock(this.#lock, async () => {
      const keys = await this.#readNow();
      const first = currentOf(keys);
      if (asked.length === 0 && first) return { ...first, inUse: true };
      const made: CodecKey = {
        id: randomBytes(ID_BYTES).toString('hex'),
        key: randomBytes(KEY_BYTES).toString('base64'),
        usedFrom: usedFrom.toISOString(),
      };
      await this.#write([...keys, made]);
      return { id: made.id, usedFrom: made.usedFrom, inUse: usedFrom.getTime() <= Date.now() };
    });
  }

  /**
   * Forgets a key: what was encrypted with it can never be read again.
   * @throws RangeError where there is no such key, or new payloads use it
   */
  async remove(id: string): Promise<void> {
    await withLock(this.#lock, async () => {
      const keys = await this.#readNow();
      if (!keys.some((key) => key.id === id)) throw new RangeError('there is no such key');
      if (currentOf(keys)?.id === id) throw new RangeError('new payloads use it');
      await this.#write(keys.filter((key) => key.id !== id));
    });
  }

  async #write(keys: readonly CodecKey[]): Promise<void> {
    await writeJsonFile(this.file, { keys }, 0o600);
    this.#cache = undefined;
  }

  #read(): Promise<readonly CodecKey[]> {
    if (this.#cache && Date.now() - this.#cache.at < CACHED_MS) return this.#cache.keys;
    const keys = this.#readNow();
    this.#cache = { at: Date.now(), keys };
    // A failed look must not be an answer for a second.
    keys.catch(() => {
      this.#cache = undefined;
    });
    return keys;
  }

  async #readNow(): Promise<readonly CodecKey[]> {
    const content = await readJsonFile<{ keys?: unknown }>(this.file);
    if (!content) return [];
    if ((await stat(this.file)).mode & OTHERS) {
      throw new PayloadRefused(
        `reading the keys of payloads from ${this.file}: others than its owner may read it; \`chmod 600\` it, and rotate the keys if ` +
          'somebody may have read them',
      );
    }
    if (Array.isArray(content.keys) && content.keys.every(isKey)) return content.keys;
    throw new PayloadRefused(
      `reading the keys of payloads from ${this.file}: it is no list of keys; restore it from a backup`,
    );
  }
}

/** The newest whose time has come; the oldest where no time has come, since clocks may be wrong. */
function currentOf(keys: readonly CodecKey[]): CodecKey | undefined {
  const byTime = [...keys].sort((a, b) => Date.parse(a.usedFrom) - Date.parse(b.usedFrom));
  return byTime.findLast(({ usedFrom }) => Date.parse(usedFrom) <= Date.now()) ?? byTime[0];
}

function isKey(value: unknown): value is CodecKey {
  if (typeof value !== 'object' || value === null) return false;
  const { id, key, usedFrom } = value as Partial<Record<keyof CodecKey, unknown>>;
  return (
    typeof id === 'string' &&
    typeof key === 'string' &&
    Buffer.from(key, 'base64').length === KEY_BYTES &&
    typeof usedFrom === 'string' &&
    Number.isFinite(Date.parse(usedFrom))
  );
}
