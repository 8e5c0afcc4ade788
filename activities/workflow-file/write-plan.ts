/**
 * Writes a plan for `initrd/boot/root/usr/lib/iguana/workflow`, a shell: files that it reads, none that it executes. Folders are numbered in
 * the order in which they are run, lists have an entry a line, and an environment is a file as podman reads it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlannedContainer, WorkflowPlan } from '../../manifest/workflow-file/plan.ts';

/** @param folder for the plan; made, and only root may read it: environments hold secrets */
export async function writePlan({ jobs }: WorkflowPlan, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const places = new Map(jobs.map(({ id }, index) => [id, numbered(index)]));
  for (const [index, { id, needs, continuesOnError, container, services }] of jobs.entries()) {
    const job = join(folder, numbered(index));
    await writeContainer(job, id, container);
    await writeFile(join(job, 'needs'), linesOf(needs.flatMap((need) => places.get(need) ?? [])));
    if (continuesOnError) await writeFile(join(job, 'continues'), '');
    for (const [serviceIndex, service] of services.entries())
      await writeContainer(join(job, 'services', numbered(serviceIndex)), service.id, service);
  }
}

async function writeContainer(
  folder: string,
  id: string,
  { image, env, volumes }: PlannedContainer,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = {
    id: linesOf([id]),
    image: linesOf([image]),
    env: linesOf([...env].map(([name, value]) => `${name}=${value}`)),
    volumes: linesOf(volumes),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

const linesOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** Sorts like a number where a shell lists names. */
const numbered = (index: number): string => String(index + 1).padStart(3, '0');
