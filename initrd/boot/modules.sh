#!/bin/sh
# Keeps the kernel modules that a boot image can need ($2: `virtual` or `generic`) in the root $1, not compressed: the filesystem that they
# are put into compresses all of them together. What is needed to mount that is put beside.
set -eu
cd "$1"
version=$(ls usr/lib/modules)
cd "usr/lib/modules/$version"

# What no installer needs: sound, cameras, radios, displays beyond the firmware's, old networks and their protocols.
rm -rf kernel/sound kernel/drivers/media kernel/drivers/staging kernel/drivers/iio kernel/drivers/hwmon kernel/drivers/input/joystick
rm -rf kernel/drivers/input/touchscreen kernel/drivers/infiniband kernel/drivers/isdn kernel/drivers/leds kernel/drivers/bluetooth
rm -rf kernel/drivers/gpu kernel/drivers/comedi kernel/drivers/w1 kernel/drivers/rtc kernel/drivers/video kernel/drivers/power
rm -rf kernel/drivers/net/wireless kernel/drivers/net/can kernel/drivers/net/hamradio kernel/drivers/net/ieee802154 kernel/drivers/net/wwan
rm -rf kernel/drivers/net/arcnet kernel/drivers/net/fddi kernel/drivers/net/slip kernel/drivers/net/wan kernel/drivers/net/plip
rm -rf kernel/net/bluetooth kernel/net/mac80211 kernel/net/wireless kernel/net/nfc kernel/net/can kernel/net/batman-adv kernel/net/ceph
rm -rf kernel/net/appletalk kernel/net/atm kernel/net/ax25 kernel/net/netrom kernel/net/rose kernel/net/x25 kernel/net/sctp kernel/net/tipc
rm -rf kernel/net/rds kernel/net/dccp kernel/net/l2tp kernel/net/6lowpan kernel/net/ieee802154 kernel/net/mac802154 kernel/net/phonet
rm -rf kernel/net/openvswitch kernel/net/mptcp kernel/net/sched
rm -rf kernel/fs/ceph kernel/fs/smb kernel/fs/nfs* kernel/fs/ocfs2 kernel/fs/gfs2 kernel/fs/dlm kernel/fs/orangefs kernel/fs/afs
rm -rf kernel/fs/coda kernel/fs/jfs kernel/fs/nilfs2 kernel/fs/reiserfs kernel/fs/ubifs kernel/fs/jffs2 kernel/fs/ufs kernel/fs/hfs*
rm -rf kernel/fs/bcachefs kernel/fs/befs kernel/fs/qnx* kernel/fs/sysv kernel/fs/minix kernel/fs/omfs kernel/fs/romfs kernel/fs/9p kernel/net/9p
rm -rf kernel/net/sunrpc kernel/net/netfilter/ipset kernel/net/netfilter/ipvs kernel/drivers/md/dm-vdo kernel/drivers/target
rm -rf kernel/virt kernel/arch/x86/kvm kernel/drivers/vhost kernel/drivers/vdpa kernel/drivers/vfio kernel/drivers/accel
# No container has a network of its own, so nothing filters.
rm -rf kernel/net/netfilter kernel/net/*/netfilter kernel/net/rxrpc kernel/net/smc kernel/net/kcm kernel/net/hsr kernel/net/qrtr
case $2 in
  virtual) rm -rf kernel/drivers/usb/serial kernel/drivers/usb/gadget kernel/drivers/mtd ;;
esac
find . -name '*.ko.xz' -exec xz --decompress {} +
cd ../../../..
chroot . depmod "$version"
rm -f usr/lib/modules/"$version"/modules.*map

# What no boot image can do without, as a module or in the kernel itself.
cd usr/lib/modules/"$version"
there() { grep -Eq "/$(printf %s "$1" | tr _- ..)\.ko(:|$)" modules.dep modules.builtin; }
needed='scsi_mod sd_mod ahci nvme virtio_scsi virtio_blk virtio_net bonding 8021q loop overlay squashfs ext4 xfs btrfs vfat'
case $2 in
  generic) needed="$needed xhci_pci usb_storage uas e1000e igb ixgbe i40e ice mlx5_core bnxt_en tg3 r8169 megaraid_sas mpt3sas" ;;
esac
# A module that needs one that was taken out is not loaded, and depmod says nothing of it.
# shellcheck disable=SC2086 # one word a module
set -- $needed
while [ $# -gt 0 ]; do
  there "$1" || { echo "the boot image would have no module $1" >&2; exit 1; }
  # shellcheck disable=SC2046 # one word a module
  set -- "$@" $(chroot ../../../.. modinfo -k "$version" -F depends "$1" | tr , ' ')
  shift
done
mkdir -p ../../iguana
for module in loop squashfs; do
  ! grep "/$module\.ko:." modules.dep || { echo "the module $module needs others, which ../root/init does not load" >&2; exit 1; }
  find kernel -name "$module.ko" -exec cp {} ../../iguana/ \;
done
