/** From references to the places that they name. */
import type { RegistryOptions } from '../registry/client.ts';
import { RegistrySource } from '../registry/source.ts';
import { type PushOptions, RegistryTarget } from '../registry/target.ts';
import { MirroredSource, type PatienceOptions } from '../source/mirrored.ts';
import { BadReference, parseReference, type Reference } from '../source/reference.ts';
import type { ImageSource } from '../source/source.ts';
import { WebSource } from '../source/web.ts';
import { LayoutSource } from './layout-source.ts';
import { LayoutTarget } from './layout-target.ts';
import type { ImageTarget } from './target.ts';

/** How to read from all kinds of places. */
export interface OpenOptions extends RegistryOptions, PatienceOptions {}

/**
 * Opens an image for reading. Nothing is read yet.
 * @param references places with the same image, in the order of preference
 * @throws BadReference
 */
export function openSource(references: readonly string[], options: OpenOptions = {}): ImageSource {
  const sources = references.map((text) => sourceOf(parseReference(text), options));
  return new MirroredSource(sources, options);
}

/**
 * Opens a place for writing. Nothing is written yet.
 * @throws BadReference where it is none, or one that cannot be written to
 */
export function openTarget(text: string, options: PushOptions = {}): ImageTarget {
  const reference = parseReference(text);
  // A digest follows from what is written; it cannot be chosen.
  if (reference.digest !== undefined) throw new BadReference(text, 'a target has a tag, not a digest');
  switch (reference.kind) {
    case 'layout':
      return new LayoutTarget(reference);
    case 'registry':
      return new RegistryTarget(reference, options);
    case 'web':
      throw new BadReference(text, 'a web server can only be read from');
  }
}

function sourceOf(reference: Reference, options: OpenOptions): ImageSource {
  switch (reference.kind) {
    case 'layout':
      return new LayoutSource(reference);
    case 'registry':
      return new RegistrySource(reference, options);
    case 'web':
      return new WebSource(reference, options);
  }
}
