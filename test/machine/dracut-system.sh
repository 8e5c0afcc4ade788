#!/bin/sh
# Has the Debian in $1 make an initrd with Iguana's module by its own dracut, as initrd/dracut/README.md says; leaves it in /boot.
set -eu
initrd=$(cd "$(dirname "$0")/../../initrd" && pwd)
modules=$1/usr/lib/dracut/modules.d
cp -a "$initrd/dracut/99iguana" "$modules/"
cp -a "$initrd/boot/root" "$modules/99iguana/root"
chroot "$1" dracut --no-hostonly --no-hostonly-cmdline --modules iguana --kver "$(ls "$1/usr/lib/modules")" /boot/dracut.img >&2
