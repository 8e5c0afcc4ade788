/** What a registry demands with status 401 (RFC 9110, 11.6.1; distribution's token authentication). */

/** How a registry wants to know who we are. */
export type Challenge =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly service?: string; readonly scope?: string };

/** @returns undefined where it demands nothing that we can do; bearer is preferred */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined) return undefined;
  const bearer = /\bBearer\s+(.*)$/is.exec(header)?.[1];
  if (bearer !== undefined) {
    const { realm, service, scope } = parametersOf(bearer);
    if (realm) return { kind: 'bearer', realm, ...(service && { service }), ...(scope && { scope }) };
  }
  return /\bBasic\b/i.test(header) ? { kind: 'basic' } : undefined;
}

function parametersOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.matchAll(/(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g);
  return Object.fromEntries(
    [...pairs].map(([, name = '', quoted, plain]) => [
      name.toLowerCase(),
      quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '',
    ]),
  );
}
