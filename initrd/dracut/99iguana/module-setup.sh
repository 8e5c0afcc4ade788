#!/bin/bash
# Iguana's boot image out of a distribution's own packages: a dracut module (dracut.modules(7)). See ../README.md.
# Its files are those of initrd/boot/root, of which a copy lies beside it as `root`.

# What the scripts of `root` run.
_iguana_commands() {
    echo sh awk cat chmod cp cut date head ip mkdir mkfifo mount mountpoint rm sleep stat systemctl tail touch tr udevadm umount uname
}

check() {
    # shellcheck disable=SC2046 # one word a command
    require_binaries podman crun conmon systemd-sysusers $(_iguana_commands) || return 1
    # Only where it is asked for: no other initrd becomes an installer.
    return 255
}

depends() {
    # dracut's own module for systemd-resolved wants D-Bus, which nothing here speaks.
    echo systemd systemd-journald systemd-networkd systemd-sysusers systemd-tmpfiles systemd-udevd \
        kernel-modules kernel-network-modules
}

installkernel() {
    # Whatever host makes it: the machines are others.
    hostonly='' instmods loop overlay squashfs =fs/nls ext4 xfs btrfs vfat efivarfs \
        ahci nvme virtio_blk virtio_scsi virtio_net virtio_pci sd_mod sr_mod bonding 8021q
}

install() {
    # shellcheck disable=SC2046,SC2154 # one word a command; dracut's own variables
    inst_multiple podman crun conmon $(_iguana_commands)
    inst_multiple -o /usr/libexec/podman/catatonit /etc/ssl/certs/ca-certificates.crt /etc/protocols /etc/services \
        /usr/share/containers/containers.conf /usr/share/containers/storage.conf /usr/share/containers/seccomp.json

    # podman asks for it when it starts, and runs it for networks of containers' own only: here all have the machine's.
    # shellcheck disable=SC2154
    mkdir -p "$initdir/usr/lib/podman"
    printf '#!/bin/sh\necho "this boot image has no networks of containers" >&2\nexit 1\n' >"$initdir/usr/lib/podman/netavark"
    chmod 0755 "$initdir/usr/lib/podman/netavark"

    # shellcheck disable=SC2154
    # `init` is a link to systemd by now, which must not be written through.
    cp -a --no-preserve=ownership --remove-destination "$moddir/root/." "$initdir/"
    chmod 0755 "$initdir"/usr/lib/iguana/*

    # A distribution may name drivers to be loaded (force_drivers), and before systemd 254 one unit makes all device nodes.
    # shellcheck disable=SC2154
    rm -f "$initdir/etc/systemd/system/systemd-modules-load.service"
    [ -e "$systemdsystemunitdir/systemd-tmpfiles-setup-dev-early.service" ] ||
        rm -f "$initdir/etc/systemd/system/systemd-tmpfiles-setup-dev.service"

    # shellcheck disable=SC2154
    inst_multiple -o "$systemdsystemunitdir"/{basic,sockets,timers,paths,slices,network,network-online,network-pre,nss-lookup}.target \
        "$systemdsystemunitdir"/{reboot,poweroff,kexec,shutdown,umount,final,halt}.target \
        "$systemdsystemunitdir"/systemd-{reboot,poweroff,kexec,halt}.service "$systemdutildir"/systemd-shutdown \
        "$systemdsystemunitdir"/systemd-networkd-wait-online.service "$systemdutildir"/systemd-networkd-wait-online \
        "$systemdsystemunitdir"/systemd-resolved.service "$systemdutildir"/systemd-resolved \
        /usr/lib/sysusers.d/systemd-resolve.conf /usr/lib/tmpfiles.d/systemd-resolve.conf \
        "$systemdsystemunitdir"/dev-hugepages.mount

    # The user of systemd-resolved, too: dracut's own module has made those before.
    systemd-sysusers --root="$initdir" >/dev/null
    mkdir -p "$initdir/root" "$initdir/var/lib/containers" "$initdir/var/tmp"
    # Each boot is a machine of its own.
    : >"$initdir/etc/machine-id"
    # This initrd is the whole system: nothing comes after it.
    rm -f "$initdir/etc/initrd-release" "$initdir/usr/lib/initrd-release"
}
