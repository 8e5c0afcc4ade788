/** Following an install, as several commands end with it; loads what it needs only then. */
import { statePaths } from '../../host/state.ts';
import type { Followed, FollowOptions } from '../install/follow.ts';
import type { Iguana } from '../library.ts';
import type { Output } from '../output/output.ts';

/** A connection that starts the server where none runs, and says so. */
export async function connectStarting(output: Output): Promise<Iguana> {
  const { Iguana } = await import('../library.ts');
  return Iguana.connect({ start: true, tell: (line) => output.note(line) });
}

/** Follows an install until it ends, needs somebody, or Ctrl-C; asks at the terminal for consent. */
export async function follow(
  output: Output,
  iguana: Iguana,
  machineId: string,
  options: Pick<FollowOptions, 'runId' | 'onSnapshot'> = {},
): Promise<Followed> {
  const [{ followInstall }, { consentAtTerminal }, { ServerNews }] = await Promise.all([
    import('../install/follow.ts'),
    import('../install/consent.ts'),
    import('../server/news.ts'),
  ]);
  return followInstall(output, iguana.client, machineId, {
    askApproval: (snapshot, signal) => consentAtTerminal(output, iguana, snapshot, signal),
    news: await ServerNews.open(statePaths()),
    ...options,
  });
}
