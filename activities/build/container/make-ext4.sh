#!/bin/bash
# The tree as an ext4 image: the same tree gives the same bytes.
#
# As small as its content allows, and made to grow: the number of inodes follows the size (-i), and room for the group
# descriptors of 4 TiB is reserved (beyond, resize2fs uses meta_bg). Inode tables are written, since the kernel would do it in
# the background of the first boot; the journal, 64 MiB for any later size, is a hole while it is empty. The features are those of
# Debian 13's mke2fs.conf, named here so that another version of the builder gives the same image.
set -euo pipefail
. /scripts/lib.sh
image=/job/out/root.img
features=none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,metadata_csum,metadata_csum_seed
features+=,sparse_super,large_file,huge_file,dir_nlink,extra_isize,orphan_file
largest_blocks=$((4 * 1024 * 1024 * MIB / 4096))

# Bytes for each inode: ext4's usual 16384, fewer for a tree of small files.
entries=$(find "$ROOT" -printf x | wc -c)
bytes_per_inode=16384
while [ "$bytes_per_inode" -gt 4096 ] && [ $(($(tree_bytes) / bytes_per_inode)) -lt $((entries * 5 / 4)) ]; do
  bytes_per_inode=$((bytes_per_inode / 2))
done

try() {
  truncate --size="$1" "$image" || return
  mke2fs -q -F -t ext4 -b 4096 -I 256 -i "$bytes_per_inode" -m 1 -U "$FILESYSTEM_UUID" -J size=64 -O "$features" \
    -E "hash_seed=$FILESYSTEM_UUID,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=1,resize=$largest_blocks" \
    -d "$ROOT" "$image"
}
# Journal, reserved group descriptors and the like are 96 MiB; an inode has 256 bytes.
grow_until_it_fits try $((96 * MIB)) $((4 + 256 * 100 / bytes_per_inode))
