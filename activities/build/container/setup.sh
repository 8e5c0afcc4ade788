#!/bin/bash
# Hook: the tree is empty.
set -euo pipefail
root=$1
mkdir -p "$root/var/cache/apt/archives" "$root/etc/apt/keyrings"
mount --bind "/cache/builds/$BUILD_NAME" "$root/var/cache/apt/archives"
find /recipe/keys -type f -exec install -m 0644 -t "$root/etc/apt/keyrings" {} +
