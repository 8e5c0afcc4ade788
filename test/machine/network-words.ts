/** A bond of one interface with a VLAN on it, as the kernel's command line says them. */
import { expect } from 'vitest';
import { askShell } from './debug-shell.ts';
import { saidUntil } from './shell-containers.ts';
import type { VirtualMachine } from './virtual-machine.ts';

/** QEMU's first network card on the bus of a {@link VirtualMachine}, and its address. */
const [CARD, ADDRESS] = ['enp0s3', '52:54:00:12:34:56'];

/** A bond that nothing else is said about. */
export const BOND = `bond=bond0:${CARD}`;

export const NETWORK_WORDS = [
  `bond=bond0:${CARD}:mode=active-backup,miimon=100,primary=${CARD} ip=bond0:dhcp`,
  'vlan=vlan7:bond0 ip=192.0.2.7:::255.255.255.0::vlan7:none',
].join(' ');

/** Both have their addresses, and the bond is what it was told to be; the machine has a shell on its console. */
export async function expectNetwork(machine: VirtualMachine): Promise<void> {
  await saidUntil(machine, /network bond0 10\.0\.2\.15\/24 .*vlan7@bond0 192\.0\.2\.7\/24/);
  const look = 'cat /proc/net/bonding/bond0; echo "bond0 is $(cat /sys/class/net/bond0/address)"';
  const said = await askShell(machine, look, /bond0 is [0-9a-f:]{17}/);
  expect(said).toContain('Bonding Mode: fault-tolerance (active-backup)');
  expect(said).toContain('MII Polling Interval (ms): 100');
  expect(said).toContain(`Primary Slave: ${CARD}`);
  expect(said).toContain(`bond0 is ${ADDRESS}`);
}
