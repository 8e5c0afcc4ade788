#!/bin/bash
# The tree as an XFS image. mkfs.xfs cannot copy a tree with all that belongs to it (xfs_protofile loses sticky bits and
# refuses spaces), so the kernel does. The loop device goes with the mount, and that with the container.
set -euo pipefail
. /scripts/lib.sh
image=/job/out/root.img

try() {
  truncate --size="$1" "$image" || return
  # Growing adds groups of the size that is chosen here: few and large ones. XFS wants two at least.
  mkfs.xfs -q -f -d agcount=2 -m "uuid=$FILESYSTEM_UUID" "$image" || return
  mkdir -p /mnt/xfs
  mount -t xfs -o loop "$image" /mnt/xfs || fail BuildFailed "image.rootFilesystem xfs" \
    'mounting the new XFS failed: the kernel of the host that builds needs XFS and loop devices'
  local status=0
  cp --archive --no-target-directory "$ROOT" /mnt/xfs || status=$?
  umount /mnt/xfs
  return "$status"
}
grow_until_it_fits try $((128 * MIB)) 10
