/** The partition table that is on a disk, as sfdisk(8) reads it. */
import { failure } from '../failures.ts';
import { runTool } from './command.ts';

/** One partition as it stands in the table. */
export interface TableEntry {
  readonly number: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** GPT type UUID in upper case, or the type's number in a dos table. */
  readonly type: string;
  /** GPT partition UUID in lower case. */
  readonly uuid?: string;
  /** GPT partition name. */
  readonly name?: string;
}

/** A partition table. */
export interface PartitionTable {
  /** `gpt`, `dos`, … */
  readonly label: string;
  readonly partitions: readonly TableEntry[];
}

/** What `sfdisk --json` prints, as far as it is used here. */
interface SfdiskJson {
  readonly partitiontable: {
    readonly label: string;
    readonly device: string;
    readonly sectorsize?: number;
    readonly partitions?: readonly {
      readonly node: string;
      readonly start: number;
      readonly size: number;
      readonly type: string;
      readonly uuid?: string;
      readonly name?: string;
    }[];
  };
}

/** Exit status of sfdisk where there is no table. */
const NO_TABLE = 1;

/**
 * Reads the partition table of a disk or a disk image.
 * @returns undefined where there is none
 */
export async function readPartitionTable(path: string): Promise<PartitionTable | undefined> {
  const doing = `reading the partition table of ${path}`;
  const { status, stdout, stderr } = await runTool('sfdisk', ['--json', path], { doing, accept: [NO_TABLE] });
  if (status === 0) return parsePartitionTable(stdout);
  // The status is the same for a disk that cannot be read.
  if (stderr.includes('does not contain a recognized partition table')) return undefined;
  throw failure('CommandFailed', `${doing}: ${stderr}`);
}

/** @param text what `sfdisk --json` printed */
export function parsePartitionTable(text: string): PartitionTable {
  const { partitiontable: table } = JSON.parse(text) as SfdiskJson;
  const sectorBytes = table.sectorsize ?? 512;
  return {
    label: table.label,
    partitions: (table.partitions ?? []).map(({ node, start, size, type, uuid, name }) => ({
      // The node is the device's path, a `p` after a digit, and the number.
      number: Number(/^p?(\d+)$/.exec(node.slice(table.device.length))?.[1]),
      offsetBytes: start * sectorBytes,
      sizeBytes: size * sectorBytes,
      type,
      ...(uuid && { uuid: uuid.toLowerCase() }),
      ...(name && { name }),
    })),
  };
}
