/** Check of the package mirror. */
import { hostAptMirror } from '../apt-mirror.ts';
import { DEBIAN_RELEASE } from '../containers/debian.ts';
import { type Check, missing, ok, words } from './check.ts';

/** Milliseconds; a mirror that is slower than this is no use for a build. */
const DEADLINE_MS = 10_000;

/** Whether the mirror answers; apt's own proxy settings are not used here. */
export async function checkMirror(): Promise<Check> {
  const mirror = await hostAptMirror();
  if (!mirror)
    return missing(
      'package mirror',
      'none in /etc/apt',
      'write one to /etc/apt/sources.list.d/debian.sources',
    );
  const url = `${mirror.archive}/dists/${DEBIAN_RELEASE}/InRelease`;
  const remedy = 'look at the network, and at the mirror in /etc/apt/sources.list.d';
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(DEADLINE_MS) });
    return response.ok
      ? ok('package mirror', mirror.archive)
      : missing('package mirror', `${url}: ${response.status}`, remedy);
  } catch (error) {
    const cause = error instanceof Error && error.cause ? `: ${words(error.cause)}` : '';
    return missing('package mirror', `${url}: ${words(error)}${cause}`, remedy);
  }
}
