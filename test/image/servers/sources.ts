/** Sources for tests, and what they fail with. */
import type { RegistryOptions } from '../../../image/registry/client.ts';
import { RegistrySource } from '../../../image/registry/source.ts';
import { type PushOptions, RegistryTarget } from '../../../image/registry/target.ts';
import { SourceError } from '../../../image/source/errors.ts';
import type { HttpOptions } from '../../../image/source/http.ts';
import { parseReference, type RegistryReference } from '../../../image/source/reference.ts';
import { WebSource } from '../../../image/source/web.ts';

/** Opens a layout folder on a web server. */
export function openWeb(reference: string, options?: HttpOptions): WebSource {
  const parsed = parseReference(reference);
  if (parsed.kind !== 'web') throw new Error(`${reference} is not on a web server`);
  return new WebSource(parsed, options);
}

/** A source or target that is closed at the end of its block. */
export function closing<T extends { close(): Promise<void> }>(one: T): T & AsyncDisposable {
  return Object.assign(one, { [Symbol.asyncDispose]: () => one.close() });
}

/** @returns the error that a promise fails with */
export async function failureOf(promise: Promise<unknown>): Promise<SourceError> {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof SourceError)) throw new Error(`expected a SourceError, found ${String(error)}`);
  return error;
}

/** Opens an image in a registry. */
export function openRegistry(reference: string, options?: RegistryOptions): RegistrySource {
  return new RegistrySource(registryReference(reference), options);
}

/** Opens a repository to push to. */
export function openTarget(reference: string, options?: PushOptions): RegistryTarget {
  return new RegistryTarget(registryReference(reference), options);
}

function registryReference(text: string): RegistryReference {
  const parsed = parseReference(text);
  if (parsed.kind !== 'registry') throw new Error(`${text} is not in a registry`);
  return parsed;
}
