/** Credentials for a registry. */

/** What a registry accepts from us. Never shown. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A bearer token, used as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Credentials are there, and cannot be used. */
export class BadCredentials extends Error {
  override readonly name = 'BadCredentials';
}

/** A Basic header. */
export const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** Who asks, for messages. */
export function nameOf(credentials: Credentials | undefined): string {
  if (!credentials) return 'access without credentials';
  return credentials.kind === 'password'
    ? `the credentials of user ${credentials.username}`
    : 'the token of the credentials file';
}
