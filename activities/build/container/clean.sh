#!/bin/bash
# Takes out what belongs to one build or one machine, so that two builds are equal and two machines are not.
set -euo pipefail
cd "$ROOT"

# mmdebstrap's own settings for apt and dpkg, and its copy of the sources.
rm -f etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/apt/sources.list.d/0000*
if [ -d etc/apt/sources.list.d ]; then
  rm -f etc/apt/sources.list
  install -m 0644 -t etc/apt/sources.list.d /recipe/sources/*
fi

rm -f etc/hostname etc/.pwd.lock etc/.resolv.conf.systemd-resolved.bak
rm -f etc/passwd- etc/shadow- etc/group- etc/gshadow- etc/subuid- etc/subgid-
rm -f etc/ssh/ssh_host_*
rm -f var/lib/systemd/random-seed var/lib/systemd/credential.secret var/lib/dbus/machine-id
rm -f var/lib/dpkg/*-old var/lib/dpkg/lock* var/lib/dpkg/triggers/Lock var/lib/apt/lists/lock
rm -f var/cache/debconf/*-old var/cache/ldconfig/aux-cache
rm -rf var/lib/apt/lists/* var/cache/apt/archives/* var/cache/apt/*.bin
find var/log -type f ! -name README -delete
find dev run tmp var/tmp -xdev -mindepth 1 -delete

# Empty and not `uninitialized` (machine-id(5)): the latter would make the first boot ask for settings on the console
# (systemd-firstboot) and set all services to their presets.
: >etc/machine-id
chmod 0444 etc/machine-id

# Where nothing manages it, a link to nowhere or the builder's own name servers must not stay.
if [ ! -L etc/resolv.conf ]; then
  if [ -e usr/lib/systemd/systemd-resolved ]; then
    ln -sfn ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf
  else
    : >etc/resolv.conf
  fi
fi

find . -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
