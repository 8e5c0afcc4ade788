/** Who a machine is, and what hardware it has, from trees like the kernel's. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { detectFirmware, detectMachine, detectTpm } from '../../activities/probe/platform.ts';
import { machineId, usableUuid } from '../../host/machine-id.ts';
import { physicalInterfaces } from '../../host/network-interfaces.ts';

let sys: string;
const put = async (path: string, content: string | Buffer): Promise<void> => {
  const file = join(sys, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
};
/** A network interface at a place on a bus; without a place it is virtual. */
const addInterface = async (name: string, mac: string, place?: string, driver = 'e1000e'): Promise<void> => {
  await put(`class/net/${name}/address`, `${mac}\n`);
  if (!place) return;
  await mkdir(join(sys, 'devices', place), { recursive: true });
  await mkdir(join(sys, 'bus/drivers', driver), { recursive: true });
  await symlink(join(sys, 'devices', place), join(sys, 'class/net', name, 'device'));
  await symlink(join(sys, 'bus/drivers', driver), join(sys, 'devices', place, 'driver'));
};

beforeEach(async () => {
  sys = await mkdtemp(join(tmpdir(), 'iguana-sys-'));
  await mkdir(join(sys, 'class/net'), { recursive: true });
});
afterEach(async () => {
  await rm(sys, { recursive: true });
});

describe('the SMBIOS UUID', () => {
  test.each([
    ['a Dell', '4C4C4544-0042-3510-8054-B4C04F4D5932', '4c4c4544-0042-3510-8054-b4c04f4d5932'],
    ['never set', '00000000-0000-0000-0000-000000000000', undefined],
    ['erased', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', undefined],
    ['the constant of a firmware vendor', '03000200-0400-0500-0006-000700080009', undefined],
    ['no UUID at all', 'Not Settable', undefined],
    ['none', undefined, undefined],
  ])('%s', (_, uuid, expected) => {
    expect(usableUuid(uuid)).toBe(expected);
  });
});

describe('the machine id', () => {
  test('is the SMBIOS UUID', async () => {
    await put('class/dmi/id/product_uuid', '4C4C4544-0042-3510-8054-B4C04F4D5932\n');
    await addInterface('eno1', 'AA:BB:CC:00:00:01', 'pci0000:00/0000:00:1f.6');
    expect(await machineId(sys)).toBe('4c4c4544-0042-3510-8054-b4c04f4d5932');
  });

  test('is the first MAC by place, whatever the interfaces are called', async () => {
    await put('class/dmi/id/product_uuid', '03000200-0400-0500-0006-000700080009\n');
    await addInterface('a-late-one', 'AA:BB:CC:00:00:02', 'pci0000:00/0000:02:00.0');
    await addInterface('z-first-one', 'AA:BB:CC:00:00:01', 'pci0000:00/0000:01:00.0');
    expect(await machineId(sys)).toBe('aa:bb:cc:00:00:01');
  });

  test('is nothing where there is nothing', async () => {
    expect(await machineId(sys)).toBeUndefined();
  });
});

test('network interfaces: hardware only, in the order of their places', async () => {
  await addInterface('lo', '00:00:00:00:00:00');
  await addInterface('veth12ab', '3e:00:00:00:00:01');
  await addInterface('podman0', '3e:00:00:00:00:02');
  await addInterface('wlp3s0', 'AA:BB:CC:00:00:03', 'pci0000:00/0000:03:00.0', 'iwlwifi');
  await symlink(join(sys, 'devices'), join(sys, 'class/net/wlp3s0/phy80211'));
  await addInterface('eno1', 'aa:bb:cc:00:00:01', 'pci0000:00/0000:01:00.0');
  await put('class/net/eno1/speed', '1000\n');
  await put('class/net/eno1/bonding_slave/perm_hwaddr', 'AA:BB:CC:00:00:09\n');
  await put('class/net/wlp3s0/speed', '-1\n');
  expect(await physicalInterfaces(sys)).toEqual([
    { name: 'eno1', mac: 'aa:bb:cc:00:00:09', driver: 'e1000e', speedMbps: 1000, wireless: false },
    { name: 'wlp3s0', mac: 'aa:bb:cc:00:00:03', driver: 'iwlwifi', wireless: true },
  ]);
});

test('firmware and secure boot', async () => {
  expect(await detectFirmware(sys)).toEqual({ type: 'bios', basis: 'detected' });
  await mkdir(join(sys, 'firmware/efi'), { recursive: true });
  expect(await detectFirmware(sys)).toEqual({ type: 'uefi', basis: 'detected' });
  const variable = 'firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
  await put(variable, Buffer.from([6, 0, 0, 0, 1]));
  expect(await detectFirmware(sys)).toEqual({ type: 'uefi', basis: 'detected', secureBoot: true });
});

test('TPM', async () => {
  expect(await detectTpm(sys)).toEqual({ present: false });
  await put('class/tpm/tpm0/tpm_version_major', '2\n');
  expect(await detectTpm(sys)).toEqual({ present: true, version: '2' });
});

test('DMI without what board makers forgot to fill in', async () => {
  await put('class/dmi/id/sys_vendor', 'Dell Inc.\n');
  await put('class/dmi/id/product_name', 'PowerEdge R640\n');
  await put('class/dmi/id/product_serial', 'To Be Filled By O.E.M.\n');
  expect(await detectMachine('m1', sys)).toEqual({
    id: 'm1',
    manufacturer: 'Dell Inc.',
    product: 'PowerEdge R640',
  });
});
