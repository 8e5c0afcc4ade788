# shellcheck shell=sh disable=SC2034 # variables are for those who source it
# Options of the kernel's driver for bonds, as `bond=` names them, and what systemd.netdev(5) calls them. What the kernel would refuse, or
# systemd-networkd leave out without a word, is refused here. Of the bond, $interfaces, $options and $mode have to be set, and IFS to a comma.

int=2147483647

# $2 is one of the words that follow, or its number: the kernel's driver takes both, systemd.netdev(5) only words.
word() {
  line='' number=0 setting=$1 value=$2
  shift 2
  for known in "$@"; do
    case $value in "$known" | "$number") line="$setting=$known" ;; esac
    number=$((number + 1))
  done
  why="is none of $*"
  [ -n "$line" ]
}

# $2 is between $3 and $4; $5 is its unit.
number() {
  line=$1=$2${5-}
  why="is no number from $3 to $4"
  case $2 in '' | *[!0-9]* | 0?* | ???????????*) return 1 ;; esac
  [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]
}

# IPv4, with semicolons between.
addresses() {
  targets=$1= rest=$2\;
  while [ -n "$rest" ]; do
    address=${rest%%;*} rest=${rest#*;}
    IFS=.
    # shellcheck disable=SC2086 # one word a number
    set -- $address
    IFS=,
    valid=$#
    case $address in *.) valid=0 ;; esac
    for part in "$@"; do number '' "$part" 0 255 || valid=0; done
    why='is no list of IPv4 addresses with semicolons between'
    [ "$valid" = 4 ] || return 1
    targets="$targets$address "
  done
  line=$targets
}

# What the kernel refuses, or systemd-networkd leaves out without a word.
only() {
  why="is for $* only, and the mode is $mode"
  case ",$*," in *",$mode,"*) ;; *) return 1 ;; esac
}
with() {
  why="needs $1=, too"
  has "$1"
}
without() {
  why="cannot go with $1="
  ! has "$1"
}
has() { case ",$options" in *",$1="*) ;; *) return 1 ;; esac; }

one_of_its_own() {
  line='' primary=$1 why="is none of its interfaces, $interfaces"
  case ",$interfaces," in *",$1,"*) ;; *) return 1 ;; esac
}

# Options of the kernel's driver as those of systemd.netdev(5). Sets $line, or $why and returns 1.
setting() {
  case $1 in
    mode) word Mode "$2" balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb ;;
    miimon) number MIIMonitorSec "$2" 0 "$int" ms ;;
    updelay) with miimon && number UpDelaySec "$2" 0 "$int" ms ;;
    downdelay) with miimon && number DownDelaySec "$2" 0 "$int" ms ;;
    peer_notif_delay) with miimon && number PeerNotifyDelaySec "$2" 0 300000 ms ;;
    xmit_hash_policy) word TransmitHashPolicy "$2" layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac ;;
    lacp_rate) only 802.3ad && word LACPTransmitRate "$2" slow fast ;;
    ad_select) only 802.3ad && word AdSelect "$2" stable bandwidth count ;;
    ad_actor_sys_prio) only 802.3ad && number AdActorSystemPriority "$2" 1 65535 ;;
    ad_user_port_key) only 802.3ad && number AdUserPortKey "$2" 0 1023 ;;
    min_links) number MinLinks "$2" 0 "$int" ;;
    primary) only active-backup balance-tlb balance-alb && one_of_its_own "$2" ;;
    primary_reselect) word PrimaryReselectPolicy "$2" always better failure ;;
    fail_over_mac) only active-backup && word FailOverMACPolicy "$2" none active follow ;;
    arp_interval) without miimon && only balance-rr active-backup balance-xor broadcast && number ARPIntervalSec "$2" 0 "$int" ms ;;
    arp_ip_target) with arp_interval && addresses ARPIPTargets "$2" ;;
    arp_validate) with arp_interval && word ARPValidate "$2" none active backup all ;;
    arp_all_targets) with arp_interval && word ARPAllTargets "$2" any all ;;
    arp_missed_max) with arp_interval && number ARPMissedMax "$2" 1 255 ;;
    num_grat_arp | num_unsol_na) number GratuitousARP "$2" 0 255 ;;
    resend_igmp) number ResendIGMP "$2" 0 255 ;;
    packets_per_slave) only balance-rr && number PacketsPerSlave "$2" 0 65535 ;;
    all_slaves_active) number AllSlavesActive "$2" 0 1 ;;
    tlb_dynamic_lb) only balance-tlb balance-alb && number DynamicTransmitLoadBalancing "$2" 0 1 ;;
    *)
      why='is no option of bonds that is known here'
      return 1
      ;;
  esac
}
