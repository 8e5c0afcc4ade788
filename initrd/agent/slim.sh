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
# What kexec drags in for Xen's hypervisor, mtools, mount and ip for NFS and Kerberos, and what is loaded by name by services that are not here.
rm -rf usr/lib/xen-* usr/lib/*/libxenlight* usr/lib/*/libxlutil* usr/lib/*/libxenstat* usr/lib/*/libxenguest* usr/lib/*/libxenvchan*
rm -rf usr/lib/*/krb5 usr/lib/*/libkrb5* usr/lib/*/libk5crypto* usr/lib/*/libgssapi_krb5* usr/lib/*/libtirpc* usr/lib/*/libnsl.so*
rm -f usr/lib/*/libssl.so* usr/lib/*/libdbus-1* usr/lib/*/libfido2* usr/lib/*/libexpat* usr/lib/*/libreiserfscore* usr/lib/*/libapparmor*
rm -rf usr/lib/*/engines-3 usr/lib/*/ossl-modules usr/lib/*/glib-2.0 usr/lib/systemd/*-generators usr/lib/*/libgthread-2.0*
# Nobody logs in: accounts of the installed system are written into its tables.
rm -rf usr/lib/*/security etc/pam.d etc/security usr/share/pam* usr/sbin/pam* usr/lib/*/libsemanage* usr/lib/*/libsepol*
rm -f usr/sbin/user* usr/sbin/group* usr/sbin/chpasswd usr/sbin/chgpasswd usr/sbin/newusers usr/sbin/agetty usr/sbin/getty usr/sbin/sulogin
rm -f usr/bin/passwd usr/bin/gpasswd usr/bin/chage usr/bin/chfn usr/bin/chsh usr/bin/expiry usr/bin/su
rm -f usr/lib/*/libsystemd.so* usr/bin/logger usr/bin/wall usr/bin/who usr/bin/users usr/bin/pinky
rm -f usr/sbin/cfdisk usr/lib/*/libncursesw* usr/lib/*/libpanelw* usr/lib/*/libmenuw* usr/lib/*/libformw* usr/bin/factor
# Of the service manager's own commands only systemd-repart is used.
find usr/bin -name 'systemd-*' ! -name systemd-repart -delete
rm -f usr/bin/journalctl usr/bin/hostnamectl usr/bin/localectl usr/bin/varlinkctl usr/bin/run0 usr/bin/kernel-install
# Of util-linux, ncurses and the C library: what is for terminals, accounts, other processes and their memory; fdisk is there as sfdisk.
for tool in choom chrt hardlink ipcmk ipcrm ipcs ldattach lscpu lsipc lslocks lsmem lsns mcookie more readprofile rtcwake runuser script scriptlive \
  scriptreplay setterm taskset uclampset wdctl blkzone chcpu chmem fdisk zramctl captoinfo clear clear_console infocmp infotocap tabs tic toe tput tset \
  getconf iconv iconvconfig locale pldd tzselect zdump zic; do
  rm -f "usr/bin/$tool" "usr/sbin/$tool"
done
rm -f usr/sbin/vipw usr/sbin/vigr usr/sbin/pwck usr/sbin/pwconv usr/sbin/pwunconv usr/sbin/grp* usr/sbin/unix_* usr/sbin/faillock
rm -f usr/sbin/mkhomedir_helper usr/sbin/pwhistory_helper usr/bin/diff3 usr/bin/sdiff usr/sbin/rmt-tar usr/bin/routel usr/bin/nstat usr/bin/pdb3* usr/bin/reset usr/sbin/addgroup usr/sbin/delgroup
rm -f usr/sbin/capsh usr/sbin/getcap usr/sbin/setcap usr/sbin/getpcaps usr/sbin/start-stop-daemon usr/bin/update-alternatives
# Of ext4 only what its steps run; LVM's device mapper is there as a library, for xfs_io.
rm -f usr/sbin/e2scrub* usr/sbin/e4crypt usr/sbin/e4defrag usr/sbin/e2image usr/sbin/dmsetup usr/sbin/dmstats usr/sbin/blkdeactivate
# Programs in Perl, which has gone.
grep --recursive --files-with-matches --binary-files=without-match '^#! */usr/bin/perl' usr/bin usr/sbin | xargs rm -f
# Libraries that nothing needs, or only what has gone.
for library in BrokenLocale anl bz2 c_malloc_debug cbor drop_ambient ffi history keyutils lastlog2 memusage nss_compat nss_hesiod pam_misc pamc \
  pcprofile psx thread_db tic urcu-bp urcu-cds urcu-common urcu-mb urcu-memb urcu-qsbr xenhypfs xenstore xtables yajl; do
  rm -f usr/lib/*/lib"$library".so*
done
# What services that are not here would read.
rm -rf usr/lib/systemd/network usr/lib/tmpfiles.d usr/lib/sysusers.d usr/lib/pcrlock.d usr/lib/kernel usr/share/initramfs-tools etc/mime.types
# Of XFS only making, mounting, growing, repairing and naming; of the authorities only the file that holds them all.
for tool in copy fsr logprint mdrestore metadump ncheck quota rtcp spaceman estimate bmap freeze mkfile property protofile; do
  rm -f "usr/sbin/xfs_$tool"
done
rm -rf usr/share/ca-certificates
find etc/ssl/certs -type l -delete
# Names of hardware by vendor: probing reads what the kernel says.
rm -rf usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin etc/udev/hwdb.bin usr/share/misc/*
# Character sets: FAT tools convert labels from code page 437 or 850, nothing else.
find usr/lib -path '*/gconv/*' -name '*.so' ! -name 'IBM437.so' ! -name 'IBM850.so' ! -name 'UTF-16.so' ! -name 'UNICODE.so' -delete
find usr/lib -path '*/gconv/*' -name 'gconv-modules.cache' -delete
# Identity belongs to no image.
rm -f etc/machine-id etc/hostname etc/resolv.conf etc/ssh/ssh_host_*
