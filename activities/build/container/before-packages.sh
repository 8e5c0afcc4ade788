#!/bin/bash
# Hook: the essential packages are there, the others follow.
set -euo pipefail
root=$1

# Debian would make the initrd of a new kernel twice, and once more for each package that adds to it: it is made once,
# at the end.
chroot "$root" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs
printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/update-initramfs"
chmod 0755 "$root/usr/sbin/update-initramfs"

# Where it exists before keyboard-configuration is installed, that package takes it over.
layout=${KEYBOARD%%-*}
variant=${KEYBOARD#"$layout"}
mkdir -p "$root/etc/default"
cat >"$root/etc/default/keyboard" <<END
XKBMODEL="pc105"
XKBLAYOUT="$layout"
XKBVARIANT="${variant#-}"
XKBOPTIONS=""

BACKSPACE="guess"
END

# A script may need the network; systemd-resolved, once installed, points resolv.conf to where nobody answers.
mkdir -p "$root/run/systemd/resolve"
cp /etc/resolv.conf "$root/run/systemd/resolve/stub-resolv.conf"
