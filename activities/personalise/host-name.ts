/** /etc/hostname and /etc/hosts; see hostname(5) and hosts(5). */
import { failure } from '../failures.ts';

/** Linux keeps no longer one (HOST_NAME_MAX, gethostname(2)). */
const MAX_LENGTH = 64;
/** RFC 1123, section 2.1. */
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
/** What every system has; used where the image has no hosts file. */
const DEFAULT_HOSTS = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
/** Debian's address for the machine's own name. */
const OWN_ADDRESS = '127.0.1.1';

/** @throws failure `PersonaliseFailed` where the name is no host name */
export function checkHostName(name: string): void {
  if (name.length <= MAX_LENGTH && name.split('.').every((label) => LABEL.test(label))) return;
  throw failure('PersonaliseFailed', `setting the host name: ${JSON.stringify(name)} is none`, {
    remedy: `Use at most ${MAX_LENGTH} letters, digits and hyphens, with dots between labels, then amend.`,
  });
}

/**
 * The text of /etc/hosts, in which the machine's own name resolves without any network.
 * @param image the image's own; its other lines are kept
 */
export function renderHosts(image: string, name: string): string {
  const kept = (image.trim() === '' ? DEFAULT_HOSTS : image)
    .split('\n')
    .filter((line) => line !== '' && line.trim().split(/\s+/)[0] !== OWN_ADDRESS);
  const [short = name] = name.split('.');
  const names = short === name ? name : `${name} ${short}`;
  return `${[...kept, `${OWN_ADDRESS}\t${names}`].join('\n')}\n`;
}
