#!/bin/bash
# What is in the tree: fields and digests, separated by NUL since names may hold anything else.
set -euo pipefail
cd "$ROOT"
find . -printf '%P\0%y\0%m\0%U\0%G\0%s\0%l\0' >/job/out/files.fields
find . -type f -print0 | xargs -0r -n 512 sha256sum --zero -- >/job/out/files.digests
