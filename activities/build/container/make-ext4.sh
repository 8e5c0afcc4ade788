#!/bin/bash
# The tree as an ext4 image: the same tree gives the same bytes.
#
# As small as its content allows, and made to grow: the number of inodes follows the size (-i), and room for the group
# descriptors of 4 TiB is reserved (beyond, resize2fs uses meta_bg). Inode tables are written, since what is not on the image
# would be initialised by the kernel in the background of the first boot. 64 MiB of journal suit any size up to 16 GiB and
# more; while they are empty they are a hole.
set -euo pipefail
image=/job/out/root.img
MIB=$((1024 * 1024))

read -r blocks entries < <(find "$ROOT" -printf '%y %s\n' |
  awk '{ n++; if ($1 == "f" || $1 == "d") b += int(($2 + 4095) / 4096) + ($1 == "d") } END { print b, n }')
# Not every name needs 16 KiB; a tree of small files gets more inodes.
ratio=16384
while [ "$ratio" -gt 4096 ] && [ $((blocks * 4096 / ratio)) -lt $((entries * 5 / 4)) ]; do ratio=$((ratio / 2)); done
slack=$((64 * MIB + blocks * 4096 / 25))

for _ in 1 2 3 4; do
  bytes=$((blocks * 4096 + blocks * 4096 * 256 / ratio + slack + 64 * MIB))
  bytes=$(((bytes + 4 * MIB - 1) / (4 * MIB) * 4 * MIB))
  rm -f "$image"
  truncate --size="$bytes" "$image"
  if mke2fs -q -F -t ext4 -b 4096 -I 256 -i "$ratio" -m 1 -U "$FILESYSTEM_UUID" -J size=64 \
    -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,metadata_csum,metadata_csum_seed,sparse_super,large_file,huge_file,dir_nlink,extra_isize,orphan_file \
    -E "hash_seed=$FILESYSTEM_UUID,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=1,resize=$((4 * 1024 * 1024 * MIB / 4096))" \
    -d "$ROOT" "$image" 2>/job/out/mke2fs.log; then
    cat /job/out/mke2fs.log
    exit 0
  fi
  cat /job/out/mke2fs.log >&2
  # The estimate was too low (names, extended attributes); anything else does not get better.
  grep -q 'Could not allocate' /job/out/mke2fs.log || exit 1
  slack=$((slack * 2 + 64 * MIB))
done
exit 1
