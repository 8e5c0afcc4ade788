/** `index.json` of an OCI layout folder: which manifests it holds, and under which tags (image-spec v1.1, image-layout.md). */
import { Fields } from '../json-fields.ts';
import { type Descriptor, descriptorOf } from '../transfer/oci-manifest.ts';
import { NotFound, type Task, UnexpectedAnswer } from './errors.ts';
import type { Which } from './reference.ts';

/** An index is bounded as registries bound manifests. */
export const MAX_INDEX_BYTES = 4 << 20;

/** The annotation that holds a tag. */
export const TAG_ANNOTATION = 'org.opencontainers.image.ref.name';

/** A manifest in the index. */
export type IndexEntry = Descriptor;

/** @throws UnexpectedAnswer where it is no index */
export function parseIndexJson(task: Task, bytes: Buffer): readonly IndexEntry[] {
  try {
    const fields = new Fields(JSON.parse(bytes.toString()), 'index');
    fields.oneOf('schemaVersion', 2);
    return fields.objects('manifests').map((entry) => descriptorOf(entry, MAX_INDEX_BYTES));
  } catch (cause) {
    throw new UnexpectedAnswer(task, 'index.json is not that of an OCI layout folder', { cause });
  }
}

/** The manifest that a tag names. */
export function taggedEntry(entries: readonly IndexEntry[], tag: string): IndexEntry | undefined {
  return entries.find(({ annotations }) => annotations?.[TAG_ANNOTATION] === tag);
}

/**
 * The manifest that a reference names; without tag and digest the only one that is no signature.
 * @throws NotFound
 */
export function chooseEntry(task: Task, entries: readonly IndexEntry[], { tag, digest }: Which): IndexEntry {
  const tags = entries.map(({ annotations }) => annotations?.[TAG_ANNOTATION] ?? '(no tag)');
  if (tag !== undefined || digest !== undefined) {
    const found =
      tag === undefined ? entries.find((entry) => entry.digest === digest) : taggedEntry(entries, tag);
    if (found && (digest === undefined || found.digest === digest)) return found;
    throw new NotFound(task, `no manifest ${[tag, digest].filter(Boolean).join('@')} there`, {
      expected: tag ?? digest ?? '',
      found: tags.join(', ') || 'no manifest',
    });
  }
  const images = entries.filter((_, index) => !isSignatureTag(tags[index] ?? ''));
  const [only, ...others] = images;
  if (only && others.every((entry) => entry.digest === only.digest)) return only;
  throw new NotFound(task, 'without a tag there must be exactly one image', {
    expected: 'one',
    found: `${images.length}: ${tags.join(', ')}`,
  });
}

/** Signatures lie beside their image, see `image/signature/`. */
const isSignatureTag = (tag: string): boolean => /^sha256-[0-9a-f]{64}\.sig$/.test(tag);
