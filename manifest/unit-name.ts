/** Names of systemd units. */

/** The types of units (systemd.unit(5)). */
const SUFFIX = /\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;

/** @returns the name with its suffix: `.service` where it has none, as systemctl(1) does */
export function unitName(name: string): string {
  return name === '' || SUFFIX.test(name) ? name : `${name}.service`;
}
