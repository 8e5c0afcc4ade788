#!/bin/bash
# Hook: all packages are there; /proc, /sys and /dev are mounted.
set -euo pipefail
. /scripts/lib.sh
root=$1

in_root() {
  chroot "$root" "$@" </dev/null
}

cache_archives() {
  . /scripts/cache.sh
  cache_used "$root"
  umount "$root/var/cache/apt/archives"
}
cache_archives

step locale
printf 'LANG=%s\n' "$LOCALE" >"$root/etc/locale.conf"
case $LOCALE in
C | POSIX | C.*) ;;
*)
  charset=${LOCALE#*.}
  [ "$charset" != "$LOCALE" ] || charset=ISO-8859-1
  entry=$(grep -xE "(# )?$(printf '%s' "$LOCALE" | sed 's/[.]/[.]/g') ${charset%@*}" "$root/usr/share/i18n/SUPPORTED" || true)
  [ -n "$entry" ] || fail BuildFailed "image.locale $LOCALE" "the release has no locale $LOCALE"
  printf '%s\n' "$entry" >"$root/etc/locale.gen"
  in_root locale-gen
  ;;
esac
if [ -e "$root/usr/share/zoneinfo/$TIMEZONE" ]; then
  ln -sfn "/usr/share/zoneinfo/$TIMEZONE" "$root/etc/localtime"
  [ ! -e "$root/etc/timezone" ] || printf '%s\n' "$TIMEZONE" >"$root/etc/timezone"
elif [ "$TIMEZONE" != UTC ] && [ "$TIMEZONE" != Etc/UTC ]; then
  fail BuildFailed "image.timezone $TIMEZONE" "the image has no time zone $TIMEZONE; package tzdata-legacy has old names"
fi

step kernel
# A later kernel of the installed system goes the same way: kernel-install(8), boot entries by the Boot Loader Specification.
mkdir -p "$root/etc/kernel" "$root/efi"
printf 'debian\n' >"$root/etc/kernel/entry-token"
printf 'layout=bls\n' >"$root/etc/kernel/install.conf"

step files
while IFS=$'\t' read -r number mode owner group path; do
  in_root getent passwd "$owner" >/dev/null || fail BuildFailed "image.files $path" "the image has no user $owner"
  in_root getent group "$group" >/dev/null || fail BuildFailed "image.files $path" "the image has no group $group"
  # In the tree's own root: an absolute symbolic link in it must not lead out of it.
  chroot "$root" install -D -T -m "$mode" -o "$owner" -g "$group" /dev/stdin "$path" <"/recipe/files/$number" ||
    fail BuildFailed "image.files $path" "writing $path failed"
done </recipe/files.tsv

step services
while IFS=$'\t' read -r verb unit; do
  in_root systemctl "$verb" "$unit" || fail BuildFailed "image.services $unit" "systemctl $verb $unit failed"
done </recipe/services.tsv

step scripts
while IFS=$'\t' read -r number name; do
  echo "iguana: build script $name"
  install -m 0755 "/recipe/scripts/$number" "$root/tmp/iguana-build-script"
  status=0
  in_root env --ignore-environment HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" KERNEL_INSTALL_BYPASS=1 \
    /tmp/iguana-build-script 2>&1 | sed -u "s/^/$name: /" || status=$?
  rm -f "$root/tmp/iguana-build-script"
  [ "$status" -eq 0 ] || fail BuildScriptFailed "$name" "build script $name ended with status $status"
done </recipe/scripts.tsv

step initrd
rm "$root/usr/sbin/update-initramfs"
in_root dpkg-divert --quiet --local --rename --remove /usr/sbin/update-initramfs
if [ -x "$root/usr/sbin/update-initramfs" ] && compgen -G "$root/boot/vmlinuz-*" >/dev/null; then
  in_root update-initramfs -c -k all || fail BuildFailed "image.kernel" "making the initrd failed"
fi

step packages-list
in_root dpkg-query --show --showformat='${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' \
  >/job/out/packages.tsv
# First lines of the fields suffice: they hold the short names of licences.
in_root sh -c 'grep -HE "^(Format|License):" /usr/share/doc/*/copyright || true' >/job/out/licences.txt
