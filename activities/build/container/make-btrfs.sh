#!/bin/bash
# The tree as a btrfs image. It is grown on the machine, for which metadata needs room: hence not `--shrink`.
set -euo pipefail
. /scripts/lib.sh
image=/job/out/root.img

try() {
  truncate --size="$1" "$image" || return
  mkfs.btrfs --quiet --force --uuid "$FILESYSTEM_UUID" --rootdir "$ROOT" "$image"
}
grow_until_it_fits try $((256 * MIB)) 20
