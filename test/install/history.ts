/** Reading histories in tests. */
import type { History } from '../support/read-history.ts';

/** How often each activity has completed. */
export function completedActivities(history: History): Map<string, number> {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const event of history.events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) names.set(String(event.eventId), scheduled.activityType?.name ?? '');
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed) {
      const name = names.get(String(completed.scheduledEventId)) ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

/** What the activities of one name have answered, in a history that is decrypted. */
export function answersOf(history: History, name: string): unknown[] {
  const scheduled = new Set<string>();
  const answers: unknown[] = [];
  for (const event of history.events ?? []) {
    if (event.activityTaskScheduledEventAttributes?.activityType?.name === name)
      scheduled.add(String(event.eventId));
    const completed = event.activityTaskCompletedEventAttributes;
    if (!completed || !scheduled.has(String(completed.scheduledEventId))) continue;
    for (const { data } of completed.result?.payloads ?? [])
      answers.push(JSON.parse(Buffer.from(data ?? []).toString()));
  }
  return answers;
}
