/** What differs between machines. Nothing here is in the image. */
import { z } from 'zod';
import { secretRefSchema } from './common.ts';
import { fileSchema, scriptSchema } from './image.ts';

const interfaceNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,15}$/, 'an interface name of at most 15 characters');
const macSchema = z.string().regex(/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/, 'a MAC address');
const ADDRESS = 'an IP address, e.g. 192.0.2.1 or 2001:db8::1';
const ipSchema = z.union([z.ipv4(ADDRESS), z.ipv6(ADDRESS)]);

/** An address with its prefix length. */
const ADDRESS_AND_PREFIX = 'an address with prefix length, e.g. 192.0.2.10/24 or 2001:db8::10/64';
const cidrSchema = z.union([z.cidrv4(ADDRESS_AND_PREFIX), z.cidrv6(ADDRESS_AND_PREFIX)]);

const vlanSchema = z.strictObject({
  link: interfaceNameSchema.meta({ description: 'The interface that carries the VLAN.' }),
  id: z.number().int().min(1).max(4094).meta({ description: 'VLAN id.' }),
});

const bondSchema = z.strictObject({
  members: z.array(interfaceNameSchema).min(1).meta({ description: 'Interfaces that the bond consists of.' }),
  mode: z
    .enum([
      'balance-rr',
      'active-backup',
      'balance-xor',
      'broadcast',
      '802.3ad',
      'balance-tlb',
      'balance-alb',
    ])
    .default('active-backup')
    .meta({ description: 'Mode of the bond, as the kernel names it.' }),
  miiMonitorMs: z
    .number()
    .int()
    .min(0)
    .max(60_000)
    .default(100)
    .meta({ description: 'How often links are looked at, in milliseconds; 0: never.' }),
});

/** One network interface, in terms of systemd-networkd. */
export const interfaceSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,15}$/, 'a name of at most 15 characters')
    .meta({
      description: 'Name of the settings; also of the interface, where `match` does not say otherwise.',
    }),
  match: z
    .strictObject({
      name: z.string().min(1).max(64).optional().meta({ description: 'Interface names, with * and ?.' }),
      mac: macSchema.optional().meta({ description: 'MAC address.' }),
    })
    .optional()
    .meta({ description: 'Which interfaces are meant. Default: the one called `name`.' }),
  dhcp: z
    .enum(['no', 'ipv4', 'ipv6', 'yes'])
    .default('no')
    .meta({ description: 'Take addresses by DHCP: of one family, or yes for both.' }),
  addresses: z.array(cidrSchema).default([]).meta({ description: 'Static addresses, e.g. 192.0.2.10/24.' }),
  gateway: z
    .array(ipSchema)
    .default([])
    .meta({ description: 'Default routers; each within the network of an address.' }),
  dns: z.array(ipSchema).default([]).meta({ description: 'Name servers.' }),
  searchDomains: z
    .array(z.string().regex(/^[A-Za-z0-9.-]+$/, 'a domain'))
    .default([])
    .meta({ description: 'Domains to complete names with.' }),
  mtu: z
    .number()
    .int()
    .min(576)
    .max(65_535)
    .optional()
    .meta({ description: 'Bytes in a packet. Default: the kernel’s.' }),
  vlan: vlanSchema.optional().meta({ description: 'This interface is a VLAN on another.' }),
  bond: bondSchema.optional().meta({ description: 'This interface is a bond of others.' }),
});

/** A hash as crypt(5) writes it; a password in the clear does not match. */
const passwordHashSchema = z
  .string()
  .regex(
    /^\$(y|gy|7|2[aby]|6|5)\$[./A-Za-z0-9$=,+-]+$/,
    'a crypt(5) hash, e.g. from `mkpasswd`; never a password',
  );

/** One user. */
export const userSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a user name: a-z, 0-9, _ - and at most 32 characters')
    .meta({ description: 'User name; layers are merged by it.' }),
  uid: z
    .number()
    .int()
    .min(0)
    .max(59_999)
    .optional()
    .meta({ description: 'Default: the next free one from 1000.' }),
  fullName: z
    .string()
    .max(256)
    .regex(/^[^:,\p{Cc}]*$/u, 'a name without : or ,')
    .default('')
    .meta({ description: 'Name for people.' }),
  passwordHash: z.union([passwordHashSchema, secretRefSchema]).optional().meta({
    description: 'crypt(5) hash or a secret that holds one. Default: no password, log in by key only.',
  }),
  sshKeys: z
    .array(
      z.string().regex(/^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?$/, 'an OpenSSH public key'),
    )
    .default([])
    .meta({ description: 'OpenSSH public keys that may log in.' }),
  groups: z
    .array(z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a group name'))
    .default([])
    .meta({ description: 'Further groups that the user is in.' }),
  shell: z
    .string()
    .regex(/^\/[!-9;-~]+$/, 'an absolute path')
    .default('/bin/bash')
    .meta({ description: 'Log-in shell; the image must have it.' }),
  sudo: z.enum(['no', 'password', 'nopasswd']).default('no').meta({
    description:
      'May the user become root by sudo: never, with the own password, without one. Needs package sudo.',
  }),
});

/** One group. */
export const groupSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a group name: a-z, 0-9, _ - and at most 32 characters')
    .meta({ description: 'Group name; layers are merged by it.' }),
  gid: z
    .number()
    .int()
    .min(0)
    .max(59_999)
    .optional()
    .meta({ description: 'Default: the next free one from 1000.' }),
});

/** The machine part of a profile. */
export const machineSchema = z.strictObject({
  hostname: z.string().max(255).meta({
    description:
      'Host name, or a template over the facts: {machine.id}, {machine.short}, {machine.serial}, {machine.uuid}, {machine.product}, {network.mac}, {network.macShort}.',
  }),
  network: z.array(interfaceSchema).meta({ description: 'Network interfaces; merged by name.' }),
  users: z.array(userSchema).meta({ description: 'Users; merged by name. `root` may be one of them.' }),
  groups: z.array(groupSchema).meta({ description: 'Groups to create; merged by name.' }),
  files: z.array(fileSchema).meta({ description: 'Files for this machine only; merged by path.' }),
  firstBoot: z
    .array(scriptSchema)
    .meta({ description: 'Scripts run once, in order, at the first boot; merged by name.' }),
});

/** What happens when the disk is written. */
export const handoffSchema = z.strictObject({
  action: z.enum(['none', 'reboot', 'kexec', 'poweroff', 'virtual-machine']).meta({
    description:
      'reboot, poweroff: through the firmware. kexec: start the installed kernel right away. virtual-machine: boot the disk image in QEMU on the host that holds it.',
  }),
  virtualMachine: z
    .strictObject({
      memory: z.number().int().min(256).max(1_048_576).meta({ description: 'MiB' }),
      cpus: z.number().int().min(1).max(512).meta({ description: 'Virtual processors.' }),
      sshPort: z
        .number()
        .int()
        .min(0)
        .max(65_535)
        .meta({ description: 'Loopback port that leads to SSH; 0: none.' }),
    })
    .meta({ description: 'The machine, for `virtual-machine`.' }),
});

/** How an install is known to have succeeded. */
export const confirmationSchema = z.strictObject({
  wait: z.enum(['first-boot', 'none']).meta({
    description: 'first-boot: the installed system must report. none: the disk is not booted here.',
  }),
  timeoutSeconds: z
    .number()
    .int()
    .min(10)
    .max(604_800)
    .meta({ description: 'How long to wait for the first boot, in seconds.' }),
});
