# Sourced by the other scripts.

MIB=$((1024 * 1024))

step() {
  echo "@@step $1"
}

# fail TYPE SUBJECT MESSAGE: TYPE is a name in the catalogue of failures.
fail() {
  echo "@@failed $1 $2"
  echo "iguana: $3" >&2
  exit 1
}

# Bytes that the files and folders of the tree take in blocks of 4 KiB.
tree_bytes() {
  find "$ROOT" -printf '%y %s\n' |
    awk '$1 == "f" || $1 == "d" { n += int(($2 + 4095) / 4096) + ($1 == "d") } END { printf "%d\n", n * 4096 }'
}

# grow_until_it_fits COMMAND BYTES PERCENT: calls COMMAND with a size, in steps of 4 MiB: that of the tree, BYTES and PERCENT
# more. What a filesystem needs for names and attributes is an estimate, so that it is called again with larger sizes. The
# smallest size is 320 MiB: mkfs.xfs makes none below 300.
grow_until_it_fits() {
  local command=$1 extra=$2 percent=$3 content bytes
  content=$(tree_bytes)
  for _ in 1 2 3; do
    bytes=$((content + extra + content * percent / 100))
    [ "$bytes" -ge $((320 * MIB)) ] || bytes=$((320 * MIB))
    rm -f /job/out/root.img
    "$command" $(((bytes + 4 * MIB - 1) / (4 * MIB) * 4 * MIB)) && return
    extra=$((extra * 2))
    percent=$((percent * 2))
  done
  fail BuildFailed filesystem "making the $ROOT_FILESYSTEM image failed"
}
