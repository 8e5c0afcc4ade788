#!/bin/sh
# Takes out of the agent container's root ($1) what its steps never use; it travels over the network to every machine.
set -eu
cd "$1"

# Perl is only there for maintainer scripts, which have run.
rm -rf usr/bin/perl* usr/lib/*/perl-base usr/share/perl* usr/share/debconf
# Package state: nothing is ever installed into a running agent.
rm -rf var/lib/dpkg/info var/lib/dpkg/*-old var/lib/apt var/cache/apt var/cache/debconf var/log/*
rm -rf usr/share/bash-completion usr/share/zsh usr/share/zoneinfo usr/share/lintian usr/share/bug usr/share/gcc usr/share/gdb
rm -rf usr/share/common-licenses usr/share/polkit-1 usr/share/dbus-1 usr/share/pixmaps
# What maintainer scripts and single commands drag in: Python for xfs_scrub_all, ICU for xfs_scrub, GLib for nothing that runs.
rm -rf usr/bin/python3* usr/bin/py3* usr/bin/pydoc3* usr/bin/pygettext3* usr/lib/python3* usr/share/python3 etc/python3*
rm -f usr/sbin/xfs_scrub* usr/lib/*/libicu*
rm -f usr/lib/*/libgio-2.0* usr/lib/*/libglib-2.0* usr/lib/*/libgobject-2.0* usr/lib/*/libgmodule-2.0* usr/lib/*/libgirepository*
rm -f usr/lib/*/libsqlite3* usr/lib/*/libmvec*
# The service manager and its daemons: the container runs one process. systemd-repart stays.
rm -f usr/lib/systemd/systemd usr/lib/systemd/systemd-* usr/lib/*/systemd/libsystemd-core-* usr/sbin/init
rm -rf usr/lib/systemd/system usr/lib/systemd/user usr/lib/systemd/boot
rm -f usr/bin/systemctl usr/bin/systemd-analyze usr/bin/networkctl usr/bin/busctl usr/bin/loginctl usr/bin/timedatectl
rm -rf var/lib/systemd usr/lib/systemd/catalog
# Installing packages, and making locales.
rm -f usr/bin/dpkg* usr/sbin/ldconfig usr/bin/localedef usr/bin/lslogins usr/lib/*/libdb-5.3*
rm -f usr/sbin/devlink usr/bin/ss usr/sbin/rdma usr/bin/rdma usr/sbin/tipc usr/sbin/dcb usr/sbin/bridge usr/sbin/genl usr/sbin/vdpa usr/sbin/rt* usr/sbin/arpd
# Of OpenSSH only the making of keys is used, of btrfs and zstd only the everyday commands.
rm -f usr/bin/ssh usr/bin/slogin usr/bin/scp usr/bin/sftp usr/bin/ssh-add usr/bin/ssh-agent usr/bin/ssh-keyscan usr/bin/ssh-copy-id usr/bin/ssh-argv0
rm -rf usr/lib/openssh usr/bin/openssl usr/bin/pzstd usr/sbin/tc
rm -f usr/bin/btrfs-* usr/sbin/btrfs-* usr/bin/ssh-keysign
# Names of hardware by vendor: probing reads what the kernel says.
rm -rf usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin etc/udev/hwdb.bin usr/share/misc/*
# Character sets: FAT tools convert labels from code page 437 or 850, nothing else.
find usr/lib -path '*/gconv/*' -name '*.so' ! -name 'IBM437.so' ! -name 'IBM850.so' ! -name 'UTF-16.so' ! -name 'UNICODE.so' -delete
find usr/lib -path '*/gconv/*' -name 'gconv-modules.cache' -delete
# Identity belongs to no image.
rm -f etc/machine-id etc/hostname etc/resolv.conf etc/ssh/ssh_host_*
