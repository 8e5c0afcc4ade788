# shellcheck shell=sh disable=SC2034 # variables are for those who source it
# Finds the agent's container: the one that is part of the boot image, else one that is pulled and whose signature podman's policy demands.

run=/run/iguana
baked=/usr/lib/iguana/agent.squashfs

say() { printf '%s\n' "$*"; }
# Told to the history, too, by the next agent that is let in.
refuse() {
  say "refusing the agent $image: $1"
  say "what to do: $2"
  printf '%s: %s\n' "$image" "$1" | cut -c1-500 >>"$run/refused"
}

# podman is loaded while a DHCP server thinks, and asks again until it answers. Why it failed is in $why; before there is a network that is no news.
pull_agent() {
  systemctl start --no-block network-online.target
  while :; do
    online=$(systemctl is-active network-online.target) || :
    ! why=$(podman pull --quiet --retry 40 --retry-delay 250ms "$image" 2>&1) || return 0
    [ "$online" != active ] || return 1
  done
}

# Sets $agent to what podman runs, and $agent_kind to --rootfs where that is no image. Where there is none it says so, and returns 1.
find_agent() {
  if [ -f "$baked" ]; then
    [ ! -s "$run/agent-image" ] || say "not followed: iguana.agent=$(cat "$run/agent-image"), since this boot image has its own"
    mkdir -p "$run/agent-root"
    mountpoint --quiet "$run/agent-root" || mount -o loop,ro "$baked" "$run/agent-root" || return 1
    agent_kind=--rootfs agent=$run/agent-root:O
    return 0
  fi
  if [ ! -s "$run/agent-image" ]; then
    say 'no agent: this boot image has none, and iguana.agent=HOST/REPOSITORY@sha256:… does not name one'
    return 1
  fi
  image=$(cat "$run/agent-image")
  case $image in
    *@sha256:*) ;;
    *)
      refuse 'it is not named by its digest' 'iguana.agent=HOST/REPOSITORY@sha256:…'
      return 1
      ;;
  esac
  say "pulling the agent $image"
  if ! pull_agent; then
    case $why in
      *[Ss]ignature* | *rejected*)
        refuse "$(printf '%s\n' "$why" | tail -n 1)" \
          'sign it with the key of this boot image (/etc/iguana/agent.pub), or make a boot image with the key that has signed it'
        ;;
      *)
        say "pulling the agent $image failed: $(printf '%s\n' "$why" | tail -n 1)"
        say 'what to do: look at the network, the name and the registry; it is tried again'
        ;;
    esac
    return 1
  fi
  agent_kind='' agent=$image
}
