/** References to images as people write them, with skopeo's habits where it has some. */
import { type Digest, isDigest } from '../digest.ts';

/** Which of the manifests at a place: by tag, by digest, or the only one. */
export interface Which {
  readonly tag?: string;
  readonly digest?: Digest;
}

/** `oci:DIR[:TAG|@DIGEST]` */
export interface LayoutReference extends Which {
  readonly kind: 'layout';
  readonly folder: string;
}

/** `docker://HOST/REPOSITORY[:TAG|@DIGEST]`; without both the tag is `latest`. */
export interface RegistryReference extends Which {
  readonly kind: 'registry';
  /** With the port, e.g. `registry.example:5000`. */
  readonly host: string;
  readonly repository: string;
}

/** `http(s)://…/FOLDER[:TAG|@DIGEST]`: a layout folder on a web server. */
export interface WebReference extends Which {
  readonly kind: 'web';
  /** Of the folder, ending in `/`, without credentials. */
  readonly url: string;
  /** From the URL; a web server's Basic authentication. */
  readonly credentials?: { readonly username: string; readonly password: string };
}

export type Reference = LayoutReference | RegistryReference | WebReference;

/** A reference that cannot be understood. */
export class BadReference extends Error {
  override readonly name = 'BadReference';

  /** @param text shown without credentials */
  constructor(text: string, why: string) {
    super(`reading the reference ${withoutCredentials(text)}: ${why}`);
  }
}

// The grammars of distribution's reference package.
const TAG = /^\w[\w.-]{0,127}$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const HOST = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

const FORMS =
  'one of oci:DIR[:TAG|@DIGEST], docker://HOST/REPOSITORY[:TAG|@DIGEST], http(s)://HOST/FOLDER[:TAG|@DIGEST]';

/** @throws BadReference */
export function parseReference(text: string): Reference {
  if (text.startsWith('oci:')) return layout(text);
  if (text.startsWith('docker://')) return registry(text);
  if (/^https?:\/\//.test(text)) return web(text);
  throw new BadReference(text, `it is not ${FORMS}`);
}

/** The reference as text, without credentials. */
export function formatReference(reference: Reference): string {
  return `${placeOf(reference)}${suffixOf(reference)}`;
}

/** Where the image is, without saying which. */
export function placeOf(reference: Reference): string {
  switch (reference.kind) {
    case 'layout':
      return `oci:${reference.folder}`;
    case 'registry':
      return `docker://${reference.host}/${reference.repository}`;
    case 'web':
      return reference.url;
  }
}

function suffixOf({ tag, digest }: Which): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function layout(text: string): LayoutReference {
  const { rest, which } = splitWhich(text, text.slice('oci:'.length));
  // As skopeo does: the first colon ends the folder.
  if (rest.includes(':')) throw new BadReference(text, 'a folder with a colon in its path cannot be named');
  if (rest === '') throw new BadReference(text, 'the folder is missing');
  return { kind: 'layout', folder: rest, ...which };
}

function registry(text: string): RegistryReference {
  const { rest, which } = splitWhich(text, text.slice('docker://'.length));
  const [first = '', ...others] = rest.split('/');
  // Docker's rule: what has no dot, no port and is not localhost is no host but a name on Docker Hub.
  const isHost = others.length > 0 && /[.:]|^localhost$/.test(first);
  const host = isHost ? first : 'docker.io';
  const path = isHost ? others.join('/') : rest;
  const repository = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  if (!HOST.test(host)) throw new BadReference(text, `\`${host}\` is no host`);
  if (!REPOSITORY.test(repository)) throw new BadReference(text, `\`${repository}\` is no repository's name`);
  const named = which.tag === undefined && which.digest === undefined ? { tag: 'latest' } : which;
  return { kind: 'registry', host, repository, ...named };
}

function web(text: string): WebReference {
  const [, origin = '', path = ''] = /^(https?:\/\/[^/]*)(.*)$/.exec(text) ?? [];
  if (/[?#]/.test(path)) throw new BadReference(text, 'a query or fragment has no meaning here');
  const { rest, which } = splitWhich(text, path.replace(/\/$/, ''));
  const url = URL.parse(`${origin}${rest}/`);
  if (!url) throw new BadReference(text, 'it is no URL');
  const { username, password } = url;
  url.username = '';
  url.password = '';
  return {
    kind: 'web',
    url: url.href,
    ...(username !== '' && {
      credentials: { username: decodeURIComponent(username), password: decodeURIComponent(password) },
    }),
    ...which,
  };
}

/** Takes `:TAG` and `@DIGEST` off the end. */
function splitWhich(text: string, path: string): { rest: string; which: Which } {
  const [named = '', digestText, ...more] = path.split('@');
  if (more.length > 0) throw new BadReference(text, 'it has more than one @');
  const digest = isDigest(digestText) ? digestText : undefined;
  if (digestText !== undefined && digest === undefined) {
    throw new BadReference(
      text,
      `\`${digestText}\` is no digest: sha256: and 64 lower-case hexadecimal digits`,
    );
  }
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const hasTag = colon >= 0;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw new BadReference(text, `\`${tag}\` is no tag`);
  return {
    rest: hasTag ? named.slice(0, colon) : named,
    which: { ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) },
  };
}

/** @returns the text without what may be a user and a password, however badly they are written */
function withoutCredentials(text: string): string {
  return text.replace(/^(\w+:\/\/).*@(?!sha256:)/, '$1');
}
