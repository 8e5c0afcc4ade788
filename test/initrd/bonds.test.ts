/** What a machine makes of `bond=`: the boot image's own script, run as it is, beside the files that systemd-network-generator leaves. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { folderWith } from '../client/folder.ts';

const script = (name: string) =>
  fileURLToPath(new URL(`../../initrd/boot/root/usr/lib/iguana/${name}`, import.meta.url));
/** systemd 257 names them 70-…, 252 90-…. */
const GENERATED = ['70-bond0.netdev', '70-eno1.network', '70-eno2.network', '90-uplink.netdev'];

async function told(words: string) {
  const folder = folderWith({ cmdline: `quiet ${words} console=ttyS0\n` });
  const [network, run] = [join(folder, 'network'), join(folder, 'run')];
  mkdirSync(network);
  for (const name of GENERATED) writeFileSync(join(network, name), '');
  const scripted = (name: string, ...args: string[]) =>
    execa('sh', [script(name), join(folder, 'cmdline'), ...args], { reject: false });
  const { exitCode, stdout, stderr } = await scripted('bonds', network, run);
  return {
    status: exitCode,
    said: stdout,
    stderr,
    generated: (name: string) => existsSync(join(network, name)),
    /** What is beside a generated file. */
    added: (name: string) => {
      const path = join(network, `${name}.d/iguana.conf`);
      return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    },
    run,
    /** The script that decides whether an agent is started. */
    options: () => scripted('options', folder, run),
  };
}

/** Lines for a bond with these options. */
const settings = (...lines: string[]) =>
  `[NetDev]\nMACAddress=none\n\n[Bond]\n${lines.map((line) => `${line}\n`).join('')}`;

describe('options of bonds', () => {
  it.each([
    ['mode=802.3ad', ['Mode=802.3ad']],
    ['mode=1,miimon=100', ['Mode=active-backup', 'MIIMonitorSec=100ms']],
    [
      'lacp_rate=fast,mode=4,xmit_hash_policy=layer3+4,min_links=1,ad_select=bandwidth',
      [
        'LACPTransmitRate=fast',
        'Mode=802.3ad',
        'TransmitHashPolicy=layer3+4',
        'MinLinks=1',
        'AdSelect=bandwidth',
      ],
    ],
    [
      'mode=802.3ad,ad_actor_sys_prio=7,ad_user_port_key=0',
      ['Mode=802.3ad', 'AdActorSystemPriority=7', 'AdUserPortKey=0'],
    ],
    [
      'mode=balance-alb,miimon=50,updelay=200,downdelay=100,peer_notif_delay=50,tlb_dynamic_lb=0',
      [
        ...['Mode=balance-alb', 'MIIMonitorSec=50ms', 'UpDelaySec=200ms', 'DownDelaySec=100ms'],
        ...['PeerNotifyDelaySec=50ms', 'DynamicTransmitLoadBalancing=0'],
      ],
    ],
    [
      'mode=active-backup,arp_interval=250,arp_ip_target=10.0.0.1;10.0.0.254,arp_validate=3,arp_all_targets=all,arp_missed_max=3',
      [
        ...['Mode=active-backup', 'ARPIntervalSec=250ms', 'ARPIPTargets=10.0.0.1 10.0.0.254 '],
        ...['ARPValidate=all', 'ARPAllTargets=all', 'ARPMissedMax=3'],
      ],
    ],
    [
      'mode=active-backup,fail_over_mac=follow,primary_reselect=better,num_grat_arp=3,resend_igmp=0,all_slaves_active=1',
      [
        ...['Mode=active-backup', 'FailOverMACPolicy=follow', 'PrimaryReselectPolicy=better'],
        ...['GratuitousARP=3', 'ResendIGMP=0', 'AllSlavesActive=1'],
      ],
    ],
    ['packets_per_slave=4', ['PacketsPerSlave=4']],
    ['', []],
  ])('%s', async (options, lines) => {
    const { status, said, stderr, added, run } = await told(`bond=bond0:eno1,eno2:${options}:9000`);
    expect({ status, said, stderr }).toEqual({ status: 0, said: '', stderr: '' });
    expect(added('70-bond0.netdev')).toBe(settings(...lines));
    expect(existsSync(join(run, 'network-refused'))).toBe(false);
  });

  it('may be left out, and are of each bond', async () => {
    const { status, added } = await told('bond=bond0:eno1 bond=uplink:eno2:mode=broadcast');
    expect(status).toBe(0);
    expect(added('70-bond0.netdev')).toBe(settings());
    expect(added('90-uplink.netdev')).toBe(settings('Mode=broadcast'));
  });

  it('name the interface that is preferred', async () => {
    const { added } = await told('bond=bond0:eno1,eno2:mode=active-backup,primary=eno2');
    expect(added('70-bond0.netdev')).toBe(settings('Mode=active-backup'));
    expect(added('70-eno2.network')).toBe('[Network]\nPrimarySlave=yes\n');
    expect(added('70-eno1.network')).toBeUndefined();
  });
});

describe('a bond that cannot be followed', () => {
  it.each([
    ['bond0:eno1:mode=802.3', /mode=802\.3 is none of balance-rr,.*802\.3ad/],
    ['bond0:eno1:mode=7', /mode=7 is none of/],
    ['bond0:eno1:mode=*', /mode=\* is none of/],
    ['bond0:eno1:mode', /mode is none of/],
    ['bond0:eno1:lacp_rat=fast', /lacp_rat=fast is no option of bonds/],
    ['bond0:eno1:lacp_rate=fast', /lacp_rate=fast is for 802\.3ad only, and the mode is balance-rr/],
    ['bond0:eno1:miimon=', /miimon= is no number from 0/],
    ['bond0:eno1:miimon=0100', /miimon=0100 is no number/],
    ['bond0:eno1:miimon=9999999999', /is no number/],
    ['bond0:eno1:miimon=100ms', /is no number/],
    ['bond0:eno1:updelay=200', /updelay=200 needs miimon=, too/],
    ['bond0:eno1:miimon=100,arp_interval=100', /arp_interval=100 cannot go with miimon=/],
    ['bond0:eno1:arp_ip_target=10.0.0.1', /needs arp_interval=, too/],
    ...['1.2.3', '1.2.3.256', '1.2.3.4.', '1.2.3.4;', ''].map((target): [string, RegExp] => [
      `bond0:eno1:arp_interval=100,arp_ip_target=${target}`,
      /is no list of IPv4 addresses/,
    ]),
    ['bond0:eno1:arp_interval=100,arp_ip_target=::1', /it is not NAME:/],
    ['bond0:eno1:mode=1,primary=eno2', /primary=eno2 is none of its interfaces, eno1/],
    ['bond0', /it is not NAME:INTERFACE,INTERFACE:OPTION=VALUE/],
    ['bond0:eno1::1500:more', /it is not NAME:/],
    ['other:eno1:mode=1', /systemd-network-generator has made no bond of it/],
  ])('%s', async (bond, why) => {
    const { status, said, generated, added, run } = await told(`bond=${bond}`);
    expect(status).toBe(1);
    expect(said).toMatch(why);
    expect(said).toContain(`bond=${bond}: `);
    expect(said).toContain('what to do: ');
    expect(generated('70-bond0.netdev')).toBe(bond.startsWith('other'));
    expect(added('70-bond0.netdev')).toBeUndefined();
    expect(existsSync(join(run, 'network-refused'))).toBe(true);
  });

  it('starts no agent, but the shell that was asked for', async () => {
    const words = `iguana.server=https://10.0.0.1:7281 iguana.ca=sha256:${'a'.repeat(64)}`;
    const { run, options } = await told(`${words} iguana.debug bond=bond0:eno1:mode=none`);
    expect(await options()).toMatchObject({ exitCode: 1, stdout: '' });
    expect(existsSync(join(run, 'agent.env'))).toBe(false);
    expect(existsSync(join(run, 'debug'))).toBe(true);
  });
});
