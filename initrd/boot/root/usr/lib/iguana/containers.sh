# shellcheck shell=sh disable=SC2034 # variables are for those who source it
# What containers that install a machine by themselves have in common, those of rd.iguana.containers and those of a workflow file: they are run
# as the original Iguana does, and what they leave in /iguana is obeyed: progress (a FIFO whose lines are shown), kernelAction, mountlist.

run=/run/iguana
shared=/iguana
sysroot=/sysroot
# Discoverable Partitions Specification: root of x86-64.
root_type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709

say() { printf '%s\n' "$*"; }

# A person has to be able to read what was said; then, as after a panic, the machine tries again.
give_up() {
  [ -e "$run/debug" ] && exit 1
  say 'the machine restarts in 60 s; with rd.iguana.debug it stays'
  sleep 60
  systemctl reboot
  exit 1
}

fail() {
  say "$1"
  say "what to do: $2"
  give_up
}

property() { udevadm info --query=property --property="$2" --value "$1" 2>/dev/null; }

# Waits for the network, makes /iguana, and shows what is written to its FIFO.
share() {
  # Containers may need it; where there is none, what needs it says so.
  systemctl start network-online.target
  mkdir -p "$shared" "$sysroot"
  cp /etc/machine-id "$shared/machine-id"
  rm -f "$shared/progress" "$shared/mountlist" "$shared/kernelAction"
  mkfifo "$shared/progress"
  # Open for both ways: nobody who writes waits, and no line is lost between two containers.
  exec 3<>"$shared/progress"
  while IFS= read -r line <&3; do
    printf '%s\n' "$line" | tr -d '\000-\010\013-\037\177'
  done &
  shower=$!
}

# $1 is what it is called; sets $why where it cannot be pulled.
pull() {
  say "pulling $1, $2"
  why=$(podman pull --quiet "$2" 2>&1 </dev/null) && return 0
  why=$(printf '%s\n' "$why" | tail -n 1)
  return 1
}
how_to_pull='look at the network and the name; it has to be signed by the key of this boot image (iguana boot build --key)'

# $1 is its name, the rest are words for podman, of which the image is the last.
run_container() {
  name=$1
  shift
  podman run --replace --name "$name" --privileged --network host --pid host --env iguana=true --annotation iguana=true \
    --volume /dev:/dev --volume "$shared:$shared" "$@" </dev/null
}

# Containers are there to be looked at where a person is.
remove=--rm=true
[ ! -e "$run/debug" ] || remove=--rm=false

# Goes over to what the containers have installed.
hand_over() {
  sleep 1
  kill "$shower" 2>/dev/null || :

  if [ -s "$shared/kernelAction" ]; then
    action=$(head -n 1 "$shared/kernelAction")
    case $action in
      reboot | poweroff | kexec | halt)
        say "the containers ask for: $action"
        exec systemctl "$action"
        ;;
      *) fail "the containers ask for '$action', which is none of reboot, poweroff, kexec, halt" "correct what writes $shared/kernelAction" ;;
    esac
  fi

  if [ ! -s "$shared/mountlist" ]; then
    udevadm settle
    found=''
    for device in /dev/[a-z]*; do
      [ -b "$device" ] && [ "$(property "$device" ID_PART_ENTRY_TYPE)" = "$root_type" ] && found="$found $device"
    done
    # shellcheck disable=SC2086 # one word a device
    set -- $found
    [ $# = 1 ] || fail "no $shared/mountlist, and $# partitions that say they hold a root:${found:- none}" \
      "let a container write $shared/mountlist: lines of 'device mountpoint [options]'"
    printf '%s %s\n' "$1" "$sysroot" >"$shared/mountlist"
  fi

  while read -r device mountpoint options || [ -n "$device" ]; do
    [ -n "$device" ] || continue
    case $mountpoint in
      "$sysroot" | "$sysroot"/*) ;;
      *) fail "mounting $device: '$mountpoint' in $shared/mountlist is neither $sysroot nor below" 'correct the list' ;;
    esac
    if [ "$(property "$device" ID_FS_TYPE)" = crypto_LUKS ]; then
      say "$device is encrypted: the installed system's own initrd opens it; restarting the machine"
      exec systemctl reboot
    fi
    mkdir -p "$mountpoint"
    why=$(mount ${options:+-o "$options"} "$device" "$mountpoint" 2>&1) || fail "mounting $device on $mountpoint: $why" 'correct the list'
  done <"$shared/mountlist"
  mountpoint --quiet "$sysroot" || fail "nothing in $shared/mountlist is mounted on $sysroot" 'add the new root to the list'

  if [ ! -d "$sysroot/usr/lib/modules/$(uname -r)" ] && [ ! -d "$sysroot/lib/modules/$(uname -r)" ]; then
    say "the installed system has no modules for the kernel $(uname -r) of this boot image: restarting the machine, which starts its own"
    umount --recursive "$sysroot"
    exec systemctl reboot
  fi
  say "going on with the installed system"
  # systemd deletes what it leaves, which frees the memory of drivers and firmware only where nothing holds them.
  for held in /usr/lib/modules /usr/lib/iguana/firmware; do
    ! mountpoint --quiet "$held" || umount --lazy "$held"
  done
  # systemd leaves only what calls itself an initrd. Under that name from the start it would start other units, so it learns it now.
  : >/etc/initrd-release
  why=$( (systemctl daemon-reexec && systemctl --no-block switch-root "$sysroot") 2>&1) ||
    fail "switching to the system on $sysroot: $why" 'look at what it lacks'
}
