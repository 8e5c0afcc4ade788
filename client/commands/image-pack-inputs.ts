/** What `iguana image pack` is told to pack: `[NAME[:FILESYSTEM]=]FILE…`, and the target behind it. */
import { MAX_PARTS } from '../../image/format/limits.ts';
import type { PartInput } from '../../image/pack/pack-part.ts';
import { usageError } from '../errors.ts';

/** A part, and the file that holds its bytes. */
export type NamedInput = Omit<PartInput, 'input'> & { readonly file: string };

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const FILESYSTEM = /^[A-Za-z0-9_.-]{1,32}$/;
const REMEDY =
  'Name each partition: root:ext4=root.img esp:vfat=esp.img. A file whose own name has a `=` is written as ./FILE.';

/**
 * @param words positional arguments: one file or more, then the target
 * @throws CommandError for words that say something else, and for two parts of one name
 */
export function parsePackInputs(words: readonly string[]): {
  readonly inputs: readonly NamedInput[];
  readonly to: string;
} {
  const to = words.at(-1);
  if (to === undefined || words.length < 2)
    throw usageError(`reading what to pack: after ${to ?? 'it'} the target is missing`, {
      remedy: 'Name it last: iguana image pack FILE oci:FOLDER[:TAG].',
    });
  const inputs = words.slice(0, -1).map(inputOf);
  if (inputs.length > MAX_PARTS)
    throw usageError(`reading what to pack: an image has at most ${MAX_PARTS} parts, not ${inputs.length}`);
  const names = inputs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw usageError(`reading what to pack: two parts are called ${twice}`, { remedy: REMEDY });
  return { inputs, to };
}

function inputOf(word: string): NamedInput {
  const equals = word.indexOf('=');
  const head = word.slice(0, Math.max(0, equals));
  // With a folder before it, it is the file's own.
  if (equals < 0 || head.includes('/')) return { name: 'disk', kind: 'disk', file: word };
  const [name = '', filesystem, ...more] = head.split(':');
  const file = word.slice(equals + 1);
  const wrong = (what: string) => usageError(`reading ${word}: ${what}`, { remedy: REMEDY });
  if (!NAME.test(name)) throw wrong(`${name || 'nothing'} is no name of a partition`);
  if (more.length > 0 || (filesystem !== undefined && !FILESYSTEM.test(filesystem)))
    throw wrong(`${head.slice(name.length + 1) || 'nothing'} is no name of a filesystem`);
  if (file === '') throw wrong('no file is named');
  return { name, kind: 'partition', ...(filesystem !== undefined && { filesystem }), file };
}
