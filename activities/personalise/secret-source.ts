/** Where the values of secrets come from. They are asked for when they are needed, and kept nowhere else. */

/**
 * Reads a secret.
 * @returns its value; undefined where there is none of this name
 */
export type SecretSource = (name: string) => Promise<string | undefined>;
