/**
 * Checks JSON that somebody else has written: the four documents that stand before every write. A schema library would say it in fewer
 * words, and takes as long to load as Node to start.
 */
import { type Digest, isDigest } from './digest.ts';

/** A field that is missing, or is not what it has to be. */
class WrongField extends Error {
  override readonly name = 'WrongField';
}

/** The fields of one object. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #where: string;

  /**
   * @param where for messages: the path of the object in the document
   * @throws WrongField where it is no object
   */
  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new WrongField(`${where}: it has to be an object`);
    this.#fields = Object.fromEntries(Object.entries(value));
    this.#where = where;
  }

  /** @throws WrongField where there is a field of another name */
  only(...names: readonly string[]): this {
    const other = Object.keys(this.#fields).find((name) => !names.includes(name));
    if (other !== undefined) throw new WrongField(`${this.#where}: it must not have a field \`${other}\``);
    return this;
  }

  /**
   * A field that others have, and this object must not.
   * @param why for messages: `a disk has no filesystem`
   * @throws WrongField where it is there
   */
  without(name: string, why: string): this {
    if (this.has(name)) throw new WrongField(`${this.#where}.${name}: ${why}`);
    return this;
  }

  /** True where the field is there. */
  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  /** @param most UTF-16 code units, as JavaScript counts; one at least, where it is given */
  text(name: string, { pattern, most }: { pattern?: RegExp; most?: number } = {}): string {
    const value = this.#fields[name];
    const fits =
      typeof value === 'string' &&
      (pattern?.test(value) ?? true) &&
      (most === undefined || (value.length > 0 && value.length <= most));
    const bound = most === undefined ? '' : ` of 1 to ${most} characters`;
    if (!fits) throw this.#wrong(name, `text${pattern ? ` like ${pattern}` : ''}${bound}`);
    return value;
  }

  digest(name: string): Digest {
    const value = this.#fields[name];
    if (!isDigest(value)) throw this.#wrong(name, 'a SHA-256 digest');
    return value;
  }

  /** A whole number, from 0 on where nothing else is said. */
  count(name: string, most = Number.MAX_SAFE_INTEGER, least = 0): number {
    const value = this.#fields[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most)
      throw this.#wrong(name, `a whole number from ${least} to ${most}`);
    return value;
  }

  /** One of a few values. */
  oneOf<const T extends string | number>(name: string, ...values: readonly T[]): T {
    const found = values.find((value) => value === this.#fields[name]);
    if (found === undefined) throw this.#wrong(name, values.join(' or '));
    return found;
  }

  object(name: string): Fields {
    return new Fields(this.#fields[name], `${this.#where}.${name}`);
  }

  /** Objects, `least` to `most` of them. */
  objects(name: string, { least = 0, most = Number.POSITIVE_INFINITY } = {}): readonly Fields[] {
    const value = this.#fields[name];
    if (!Array.isArray(value) || value.length < least || value.length > most)
      throw this.#wrong(name, `${least} to ${most} objects`);
    return value.map((one, index) => new Fields(one, `${this.#where}.${name}[${index}]`));
  }

  /** Values of an object that are all text. */
  texts(name: string): Readonly<Record<string, string>> {
    const fields = this.object(name);
    return Object.fromEntries(Object.keys(fields.#fields).map((key) => [key, fields.text(key)]));
  }

  #wrong(name: string, expected: string): WrongField {
    return new WrongField(`${this.#where}.${name}: it has to be ${expected}`);
  }
}
