#!/bin/bash
# Builds a root filesystem and what belongs to it. Runs in the builder container; ../run-builder.ts is its caller.
#
#   /recipe   what to build, read-only            /scripts  this folder, read-only
#   /job     tree/ where no memory is to spare, out/ for the results, on the store's filesystem
#   /cache    package archives that all builds share
#
# Lines that begin with `@@` on standard output are for the caller: `@@step NAME`, `@@failed TYPE SUBJECT`.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TMPDIR=/tmp E2FSPROGS_FAKE_TIME="$SOURCE_DATE_EPOCH"
# Kernels are put onto the ESP by Iguana: packages shall not look for one on the machine that builds.
export KERNEL_INSTALL_BYPASS=1
. /scripts/lib.sh

# Proxies may hold passwords: they come in a file, and not in the container's environment, which the engine shows.
while IFS= read -r line; do export "${line?}"; done </recipe/environment

mkdir -p /build
if [ "${TREE_BYTES:-0}" -gt 0 ]; then
  mount -t tmpfs -o "size=$TREE_BYTES,mode=0755" tmpfs /build
else
  mkdir -p /job/tree
  mount --bind /job/tree /build
fi
mkdir -p /build/tmp /job/out
export TMPDIR=/build/tmp ROOT=/build/root

step packages
. /scripts/cache.sh
trap cache_keep EXIT
cache_open
mkdir -p /etc/apt/keyrings
# Readable for _apt, as whom apt checks signatures.
find /recipe/keys -type f -exec install -m 0644 -t /etc/apt/keyrings {} +

options=()
while IFS= read -r option; do options+=("$option"); done </recipe/mmdebstrap-options
mmdebstrap --mode=root --format=directory --verbose "${options[@]}" \
  --skip=essential/unlink \
  --setup-hook='/scripts/setup.sh "$1"' \
  --essential-hook='/scripts/before-packages.sh "$1"' \
  --customize-hook='/scripts/customise.sh "$1"' \
  "$RELEASE" "$ROOT" /recipe/iguana.sources </dev/null

step clean
/scripts/clean.sh
step esp
/scripts/esp.sh
step filesystem
# Hashing needs one core, making the filesystem another.
/scripts/list-files.sh &
"/scripts/make-$ROOT_FILESYSTEM.sh"
wait $!
sync --file-system /job/out
