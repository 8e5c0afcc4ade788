#!/bin/sh
# Takes out of the boot image's root ($1) what nothing in it uses; it is loaded into the memory of every machine.
set -eu
cd "$1"

# Perl is only there for maintainer scripts, which have run.
rm -rf usr/bin/perl* usr/lib/*/perl-base usr/share/perl* usr/share/debconf
# Package state: nothing is ever installed here.
rm -rf var/lib/dpkg var/lib/apt var/cache/* var/log/* usr/lib/dpkg usr/share/lintian usr/share/bug
rm -f usr/bin/dpkg* usr/bin/apt* usr/sbin/ldconfig usr/bin/localedef usr/lib/*/libdb-5.3* usr/lib/*/libapt*
rm -rf usr/share/bash-completion usr/share/zsh usr/share/fish usr/share/zoneinfo usr/share/doc usr/share/common-licenses
rm -rf usr/share/polkit-1 usr/share/pixmaps usr/share/gcc usr/share/gdb usr/share/i18n usr/share/info usr/share/man
# The initrd that Debian made for its own way to boot, and the kernel, which travels beside.
rm -f boot/initrd.img-* initrd.img* vmlinuz*
# Names of hardware by vendor: nobody reads them here.
rm -rf usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin etc/udev/hwdb.bin
# Of podman: its tests, the unprivileged and the remote ways, and generators of units.
rm -f usr/libexec/podman/podman-testing usr/libexec/podman/rootlessport usr/libexec/podman/quadlet usr/bin/podman-remote
rm -f usr/bin/podmansh usr/lib/systemd/system-generators/podman-system-generator usr/lib/systemd/user-generators/podman-user-generator
rm -f usr/lib/podman/netavark-dhcp-proxy-client usr/lib/*/libcrun.a
# podman asks for it when it starts, and runs it for networks of containers' own only: here all have the machine's.
printf '#!/bin/sh\necho "this boot image has no networks of containers" >&2\nexit 1\n' >usr/lib/podman/netavark
rm -f usr/lib/systemd/system/podman* usr/lib/systemd/system/netavark* usr/lib/systemd/system/*.wants/podman*
rm -f etc/systemd/system/*.wants/podman* etc/systemd/system/*.wants/netavark*
# Keys and mail of GnuPG, which podman drags in; containers are verified by cosign's signatures.
rm -f usr/bin/gpgsm usr/bin/dirmngr* usr/bin/gpg-wks-* usr/bin/gpgparsemail usr/bin/gpgtar usr/bin/gpg-agent usr/lib/gnupg/*
rm -f usr/bin/gpg usr/bin/gpgconf usr/bin/gpg-connect-agent usr/bin/gpgv usr/bin/sqv usr/bin/openssl usr/sbin/tc usr/sbin/rtmon usr/sbin/tipc usr/sbin/dcb usr/sbin/rdma usr/sbin/devlink usr/sbin/genl usr/sbin/vdpa
# systemd without what runs nothing here: home folders, portable services, remote journals, boot counting.
rm -f usr/bin/systemd-analyze usr/bin/systemd-cgtop usr/bin/hostnamectl usr/bin/timedatectl usr/bin/localectl usr/bin/busctl
rm -f usr/lib/systemd/systemd-homed usr/lib/systemd/systemd-portabled usr/lib/systemd/systemd-importd usr/lib/systemd/systemd-hostnamed
rm -f usr/lib/systemd/systemd-localed usr/lib/systemd/systemd-timedated usr/lib/systemd/systemd-growfs usr/lib/systemd/systemd-pcrlock
rm -f usr/lib/systemd/systemd-journal-remote usr/lib/systemd/systemd-resolved-stub usr/bin/systemd-repart usr/bin/systemd-hwdb usr/bin/systemd-creds usr/lib/*/libgio-2.0* usr/lib/*/libgirepository*
rm -rf usr/lib/systemd/catalog usr/lib/systemd/user usr/lib/systemd/boot var/lib/systemd
# Character sets: names of files are UTF-8.
rm -rf usr/lib/*/gconv
# C libraries that only what went used.
rm -f usr/lib/*/libmvec*
# Identity belongs to no image: each boot is a machine of its own.
rm -f etc/hostname etc/resolv.conf
: > etc/machine-id
find . -xdev -name '__pycache__' -prune -exec rm -rf {} +
