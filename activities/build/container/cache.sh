# Sourced: package archives shared between builds, without locks.
#
# Each build has its own folder of hard links, in which its apt may lock, download and delete; whole archives go back as
# links, and a link is made whole or not at all.

SHARED=/cache/archives
OWN="/cache/builds/$BUILD_NAME"

cache_open() {
  mkdir -p "$SHARED" /cache/builds
  # Builds that were killed and never tried again; no build takes a day.
  find /cache/builds -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} +
  cache_keep
  mkdir -p "$OWN/partial"
  find "$SHARED" -name '*.deb' -mtime +60 -delete
  find "$SHARED" -name '*.deb' -print0 | xargs -0r cp --link --no-clobber --target-directory="$OWN"
}

# Gives what was downloaded to the other builds; also what a killed attempt of this build had.
cache_keep() {
  [ -d "$OWN" ] || return 0
  find "$OWN" -maxdepth 1 -name '*.deb' -size +0 -print0 |
    xargs -0r cp --link --update=none --target-directory="$SHARED"
  rm -rf "$OWN"
}

# cache_used ROOT: archives of installed packages are young, and are not thrown away.
cache_used() {
  chroot "$1" dpkg-query --show --showformat='${Package}_${Version}_${Architecture}.deb\n' |
    sed 's/:/%3a/g' | (cd "$SHARED" && xargs -r touch --no-create)
}
