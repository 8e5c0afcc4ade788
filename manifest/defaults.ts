/** The first layer: what holds where nobody says otherwise. */
import type { LayerText } from './plan-types.ts';

/**
 * The built-in layer, as a document like every other one so that messages can point into it and people can read it.
 *
 * - Debian 13 (trixie). Repositories have no address: planning fills in the mirror that the host itself uses.
 * - `minbase` with what a machine needs to boot and be reached: systemd with udev and dbus (logind and hostnamed need the
 *   bus), systemd-boot, kernel and initramfs; systemd-resolved, because systemd-networkd has no other way to pass name servers
 *   from DHCP to the resolver; iproute2, since nobody can look into a network problem without it.
 * - The kernel is quiet; which console it talks to belongs to the machine's profile.
 * - `sourceDateEpoch` is the day of Debian 13's release: any fixed time gives byte-equal builds.
 * - The ESP is at /efi, as the Discoverable Partitions Specification and bootctl(1) propose, large enough for several kernels.
 */
export const DEFAULTS: LayerText = {
  name: 'defaults',
  text: `apiVersion: iguana/v1
kind: Profile
image:
  distribution: debian
  release: trixie
  architecture: amd64
  builder: mmdebstrap
  variant: minbase
  packages:
    - dbus
    - initramfs-tools
    - iproute2
    - systemd
    - systemd-boot
    - systemd-resolved
    - systemd-sysv
    - udev
  recommends: false
  repositories:
    - name: debian
      suites: [trixie, trixie-updates]
      components: [main]
      key: distribution
    - name: debian-security
      suites: [trixie-security]
      components: [main]
      key: distribution
  kernel:
    package: linux-image-amd64
    cmdline: [quiet]
  files: []
  services: []
  locale: C.UTF-8
  keyboard: us
  timezone: Etc/UTC
  scripts: []
  sourceDateEpoch: 1754697600
  revision: ""
storage:
  disk:
    match: {}
    order: []
  existingData: refuse
  partitions:
    - label: esp
      type: esp
      size: 512M
      filesystem: vfat
      mountPoint: /efi
    - label: root
      type: root
      size: rest
      filesystem: ext4
      mountPoint: /
machine:
  hostname: iguana-{machine.short}
  network: []
  users: []
  groups: []
  files: []
  firstBoot: []
handoff:
  action: none
  virtualMachine:
    memory: 1024
    cpus: 2
    sshPort: 0
confirmation:
  wait: none
  timeoutSeconds: 1800
`,
};
