/** The facts of a machine. */
import systeminformation from 'systeminformation';
import { physicalInterfaces } from '../../host/network-interfaces.ts';
import { type DiskFacts, type Facts, factsSchema } from '../../manifest/schema/facts.ts';
import type { AgentActivities, ProbeInput } from '../contract.ts';
import { identifyDisks } from '../disk/disk.ts';
import { failure } from '../failures.ts';
import { deviceFacts } from './device-facts.ts';
import { imageFacts } from './image-facts.ts';
import { detectFirmware, detectMachine, detectTpm } from './platform.ts';

/**
 * Finds out what the machine is and what is on its disks. Changes nothing; the same machine gives equal facts.
 *
 * Where the target is a disk for a machine that is not here, only the disk is listed, the firmware is assumed, and
 * nothing is said of network interfaces, TPM and DMI: those of this host would be another machine's.
 * @throws failure `NoDisk` where the target's device is not attached, `DiskChanged` where its file does not fit
 */
export const probe: AgentActivities['probe'] = async (input) => {
  const [cpu, memory] = await Promise.all([systeminformation.cpu(), systeminformation.mem()]);
  const facts: Facts = {
    apiVersion: 'iguana/v1',
    kind: 'Facts',
    ...(input.target.kind === 'machine' ? await hereFacts(input) : elsewhereFacts(input)),
    architecture: ARCHITECTURES[process.arch] ?? 'other',
    cpu: { model: cpu.brand || 'unknown', cores: cpu.physicalCores, threads: cpu.cores },
    memoryBytes: memory.total,
    disks: await targetDisks(input),
  };
  return factsSchema.parse(facts);
};

/** Node's names of architectures, and Debian's. */
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, Facts['architecture']>> = {
  x64: 'amd64',
  arm64: 'arm64',
};

type PlatformFacts = Pick<Facts, 'machine' | 'firmware' | 'network' | 'tpm'>;

async function hereFacts({ machineId, assumeFirmware }: ProbeInput): Promise<PlatformFacts> {
  return {
    machine: await detectMachine(machineId),
    firmware: assumeFirmware ? { type: assumeFirmware, basis: 'assumed' } : await detectFirmware(),
    network: await physicalInterfaces(),
    tpm: await detectTpm(),
  };
}

function elsewhereFacts({ machineId, assumeFirmware = 'uefi' }: ProbeInput): PlatformFacts {
  return {
    machine: { id: machineId },
    firmware: { type: assumeFirmware, basis: 'assumed' },
    network: [],
    tpm: { present: false },
  };
}

async function targetDisks({ target, installId }: ProbeInput): Promise<DiskFacts[]> {
  if (target.kind === 'file') return [await imageFacts(target.path, target.sizeBytes, installId)];
  const attached = await identifyDisks();
  const meant = target.kind === 'device' ? attached.filter(({ id }) => id === target.id) : attached;
  if (target.kind === 'device' && meant.length === 0)
    throw failure('NoDisk', `probing ${target.id}: no disk of this identity is attached`, {
      context: { attached: attached.map(({ id }) => id) },
    });
  const facts: DiskFacts[] = [];
  // One after the other: reading all disks at once makes none of them faster where they share a bus.
  for (const disk of meant) facts.push(await deviceFacts(disk, installId));
  return facts;
}
