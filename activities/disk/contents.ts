/** What is on a disk: tables and signatures by `blkid -p`, and bytes that nobody knows. */
import { hasBytes } from '../../host/has-bytes.ts';
import type { DiskContent } from '../../manifest/schema/facts.ts';
import { failure } from '../failures.ts';
import { runTool } from './command.ts';
import { readPartitionTable, type TableEntry } from './partition-table.ts';

/** blkid(8): nothing found, and several signatures that contradict each other. */
const NOTHING = 2;
const AMBIVALENT = 8;

/**
 * Lists what is on a disk or a disk image. An empty list means that nothing would be lost: no table, no signature, and
 * only zeros wherever it was looked at (the first and last MiB, and samples between them).
 * @param path a device or a file
 * @throws the system's error where the disk cannot be read: that is no empty disk
 * @throws failure `CommandFailed`
 */
export async function diskContents(path: string, sizeBytes: number): Promise<DiskContent[]> {
  // First, since this fails on what cannot be read, and the tools below do not always.
  const anyBytes = await hasBytes(path, 0, sizeBytes);
  const whole = await signatures(path);
  const table = await readPartitionTable(path);
  const contents: DiskContent[] = [];
  const tableType = table?.label ?? whole.PTTYPE;
  if (tableType) contents.push({ partition: 0, type: tableType, sizeBytes });
  if (whole.TYPE) contents.push(content(0, whole.TYPE, sizeBytes, whole));
  for (const entry of table?.partitions ?? []) contents.push(await partitionContent(path, entry));
  if (contents.length === 0 && anyBytes) contents.push({ partition: 0, type: 'unknown', sizeBytes });
  return contents;
}

async function partitionContent(path: string, entry: TableEntry): Promise<DiskContent> {
  const { number, offsetBytes, sizeBytes, name } = entry;
  const found = await signatures(path, entry);
  const type =
    found.TYPE ?? found.PTTYPE ?? ((await hasBytes(path, offsetBytes, sizeBytes)) ? 'unknown' : 'empty');
  return content(number, type, sizeBytes, { ...found, LABEL: found.LABEL ?? name });
}

function content(
  partition: number,
  type: string,
  sizeBytes: number,
  found: { LABEL?: string | undefined; UUID?: string | undefined },
): DiskContent {
  return {
    partition,
    type,
    ...(found.LABEL && { label: found.LABEL }),
    ...(found.UUID && { uuid: found.UUID }),
    sizeBytes,
  };
}

/** What `blkid -p` names, of which these are used. */
interface Signatures {
  readonly TYPE?: string;
  readonly PTTYPE?: string;
  readonly LABEL?: string;
  readonly UUID?: string;
}

/**
 * Probes a disk, or a part of it, for signatures.
 * @returns `TYPE=unknown` where several contradict each other
 */
export async function signatures(
  path: string,
  part?: { readonly offsetBytes: number; readonly sizeBytes: number },
): Promise<Signatures> {
  const range = part ? ['--offset', String(part.offsetBytes), '--size', String(part.sizeBytes)] : [];
  const doing = `reading the signatures on ${path}`;
  const args = ['--probe', '--output', 'export', ...range, path];
  const { status, stdout, stderr } = await runTool('blkid', args, { doing, accept: [NOTHING, AMBIVALENT] });
  // What it cannot open it calls empty, too.
  if (status === NOTHING && stderr !== '') throw failure('CommandFailed', `${doing}: ${stderr}`);
  if (status === AMBIVALENT) return { TYPE: 'unknown' };
  return parseSignatures(stdout);
}

/** @param text what `blkid --output export` printed: KEY=value, with white space escaped by a backslash */
export function parseSignatures(text: string): Signatures {
  const pairs = text
    .split('\n')
    .map((line) => /^([A-Z_]+)=(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, key = '', value = '']) => [key, value.replaceAll(/\\(.)/g, '$1')] as const);
  return Object.fromEntries(pairs);
}
