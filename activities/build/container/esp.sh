#!/bin/bash
# The content of the ESP, but for the boot entries, which name the machine's root filesystem.
set -euo pipefail
. /scripts/lib.sh
esp=/build/esp
mkdir -p "$esp/EFI/BOOT" "$esp/EFI/systemd" "$esp/loader"

# bootctl(1) prefers the signed one too: where Secure Boot is off they are the same.
loader=
for candidate in systemd-bootx64.efi.signed systemd-bootx64.efi; do
  [ -n "$loader" ] || [ ! -e "$ROOT/usr/lib/systemd/boot/efi/$candidate" ] || loader=$ROOT/usr/lib/systemd/boot/efi/$candidate
done
[ -n "$loader" ] || fail BuildFailed systemd-boot 'the image has no systemd-boot: add the package systemd-boot'
cp "$loader" "$esp/EFI/BOOT/BOOTX64.EFI"
cp "$loader" "$esp/EFI/systemd/systemd-bootx64.efi"
printf 'timeout 0\n' >"$esp/loader/loader.conf"
printf 'type1\n' >"$esp/loader/entries.srel"

kernels=0
for kernel in "$ROOT"/boot/vmlinuz-*; do
  [ -f "$kernel" ] || continue
  version=${kernel##*/vmlinuz-}
  initrd=$ROOT/boot/initrd.img-$version
  mkdir -p "$esp/debian/$version"
  cp "$kernel" "$esp/debian/$version/linux"
  [ -f "$initrd" ] ||
    fail BuildFailed initrd "kernel $version has no initrd: add the package initramfs-tools"
  cp "$initrd" "$esp/debian/$version/initrd.img"
  kernels=$((kernels + 1))
done
[ "$kernels" -gt 0 ] || fail BuildFailed "$KERNEL_PACKAGE" "the image has no kernel: $KERNEL_PACKAGE put none into /boot"

tar --create --file=/job/out/esp.tar --directory="$esp" --format=ustar --sort=name --owner=0 --group=0 \
  --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" EFI loader debian
rm -r "$esp"
