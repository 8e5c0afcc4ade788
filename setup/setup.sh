#!/bin/sh
# Installs what Iguana needs on this host, and only what is missing; says what it is doing. Quick when all is there.
#
#   setup.sh node    npm packages and with them Node 26: enough for commands that only read and compute
#   setup.sh all     also system packages, Temporal and the container images
#   setup.sh tests   also what only the tests need
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
wanted=${1:-all}

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else fail "installing system packages needs root: become root, or install sudo"
  fi
}

apt_install() {
  command -v apt-get >/dev/null 2>&1 ||
    fail "installing $*: this is no Debian. Install these by hand, then run this again"
  say "installing system packages: $*"
  log=$(mktemp)
  # The package lists of a fresh machine are missing or old: an install that fails is tried again with new ones.
  if ! install_packages "$@" >"$log" 2>&1; then
    as_root apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; fail "fetching the package lists failed; look at the network and /etc/apt"; }
    install_packages "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "installing system packages failed, see above"; }
  fi
  rm -f "$log"
}

install_packages() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

system_packages() {
  set -- "$here/setup/packages-debian.txt"
  [ "$wanted" != tests ] || set -- "$@" "$here/setup/packages-debian-tests.txt"
  wanted_packages=$(sed 's/#.*//' "$@")
  # shellcheck disable=SC2016,SC2086 # dpkg-query's own variables; one word a package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted_packages 2>/dev/null | sed -n 's/^installed //p')
  missing=
  for package in $wanted_packages; do
    case "
$installed
" in
      *"
$package
"*) ;;
      *) missing="$missing $package" ;;
    esac
  done
  # shellcheck disable=SC2086 # one word a package
  [ -z "$missing" ] || apt_install $missing
}

# npm 7 is the first that understands the lock file.
usable_npm() {
  for npm in npm /usr/bin/npm; do
    version=$("$npm" --version 2>/dev/null) || continue
    [ "${version%%.*}" -ge 7 ] && { echo "$npm"; return 0; }
  done
  return 1
}

node_packages() {
  stamp="$here/node_modules/.iguana-package-lock.json"
  cmp -s "$here/package-lock.json" "$stamp" && "$here/node_modules/.bin/node" --version >/dev/null 2>&1 && return
  npm=$(usable_npm) || { apt_install npm; npm=$(usable_npm) || fail "Debian's npm does not run; see 'npm --version'"; }
  dpkg-query -W libatomic1 >/dev/null 2>&1 || apt_install libatomic1
  say "installing npm packages, and Node 26 with them"
  # No package needs its install script: Node, esbuild and Temporal's bridge come as binaries.
  # `npm ci` refuses a lock file that was written where not every platform's optional packages could be had; this takes
  # the same versions from it, with the same checksums, and leaves it as it is.
  (cd "$here" && "$npm" install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
    fail "installing npm packages failed; look at the network, then run this again"
  # Not into a file that another clone's folder of packages may share.
  rm -f "$stamp"
  cp "$here/package-lock.json" "$stamp"
}

# Temporal, the engine and the container images. Asking each takes a second, so what was prepared is noted; whoever uses one
# of them gets it again where it has gone since.
prepare() {
  stamp="$here/node_modules/.iguana-prepared"
  state=$(
    cd "$here" && cat package-lock.json initrd/agent/* host/prepare.ts host/containers/*.ts host/temporal/*.ts | cksum
    echo "${IGUANA_CACHE:-} ${IGUANA_ENGINE:-} ${DOCKER_HOST:-} ${IGUANA_TEMPORAL:-}"
  )
  [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && return
  node="$here/node_modules/.bin/node"
  if [ "$(id -u)" -eq 0 ]; then "$node" "$here/host/prepare.ts"
  elif command -v sudo >/dev/null 2>&1; then sudo -E "$node" "$here/host/prepare.ts"
  else fail "preparing the container images needs root: become root, or install sudo"
  fi || fail "preparing Temporal and the container images failed, see above"
  # Where root made node_modules, a user cannot note it, and asks again the next time.
  [ ! -w "$here/node_modules" ] || { rm -f "$stamp"; printf '%s\n' "$state" >"$stamp"; }
}

run() {
  node_packages
  [ "$wanted" = node ] && return
  system_packages
  prepare
}

# Two set-ups at once would be in each other's way. The lock is not handed on to what outlives the set-up (`-o`).
if [ -z "${IGUANA_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
  IGUANA_SETUP_LOCKED=1 exec flock -o "$here/setup/setup.sh" sh "$here/setup/setup.sh" "$wanted"
fi
run
