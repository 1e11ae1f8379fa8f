#!/bin/sh
# SPDX-License-Identifier: ISC
#
# bench.sh: how fast both daemons are, beside the servers of others that are installed
# (contrib/bench-peers installs them), all on this machine, over its loopback. Prints
# medians, and which of the bounds they are within. `make bench' builds what it needs.
#
#   --quick           one round, shorter, and no more than 1000 tunnels
#   --rounds N        how often all of it is done, in turn: 5; idle tunnels twice at most
#   --only WHAT       measures (bulk connect roundtrip idle udp) or contenders, with
#                     commas; may be given again
#   --peer 'NAME=COMMAND'
#                     one more contender; {port} is where it is to listen, and {target}
#                     the port that it leads to, if it is no SOCKS5 server
#   --previous DIR    dcsd and pppd-socks of DIR, too, for a comparison
#   --results FILE    where each single result goes; default bench.results
#   --svg FILE        where the chart goes; default bench.svg
#   --readme FILE     puts the table into the text
#
# Contenders take turns within a round, so that what else the machine does falls on all.

# shellcheck source=../scripts/lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"
# shellcheck source=../scripts/peers.sh
. "$top/tests/scripts/peers.sh"

rounds=5 seconds=0.6 levels=100,1000,3000,6000,9000 idle_rounds=2
settle=6
measures='' named='' peers='' previous='' readme=''
results=bench.results svg=bench.svg
all_measures="bulk connect roundtrip idle udp"
command="make bench"
limit_s=120 # for one measure of one contender: then it has failed
clients=8   # that connect at once
window=64   # datagrams on the way

usage() {
  sed -n '/^# bench.sh:/,/^$/{/^# Contenders/q; s/^# \{0,1\}//p; s/^#$//p; }' "$0" >&2
  exit 64
}

# only A,B,...
only() {
  for word in $(printf '%s' "$1" | tr , ' '); do
    case " $all_measures " in
    *" $word "*) measures="$measures $word" ;;
    *) named="$named $word" ;;
    esac
  done
}

quick() {
  rounds=1 seconds=0.4 levels=100,1000 settle=1.5
}

while [ $# -gt 0 ]; do
  case $1 in
  --quick)
    quick
    command="$command BENCH=--quick"
    shift
    continue
    ;;
  esac
  [ $# -ge 2 ] || usage
  case $1 in
  --rounds) rounds=$2 ;;
  --only) only "$2" ;;
  --peer)
    peers="$peers$2
" ;;
  --previous) previous=$(absolute "$2") ;;
  --results) results=$2 ;;
  --svg) svg=$2 ;;
  --readme) readme=$2 ;;
  *) usage ;;
  esac
  shift 2
done
case $rounds in
'' | *[!0-9]* | 0) usage ;;
esac
# shellcheck source=contenders.sh
. "$top/tests/bench/contenders.sh"
: "${measures:=$all_measures}"

GAUGE=$(absolute "${GAUGE:-./tests/bench/gauge}")
for tool in "$GAUGE" "$DCSD" "$PPPD_SOCKS" perl timeout; do
  has "$tool" || fail "there is no $tool"
done

# The soft limit of those who do not raise it themselves; that of the bounds.
raise_fds() {
  # shellcheck disable=SC3045 # all shells there are know it
  ulimit -n 20000 2>/dev/null || say "ulimit -n is $(ulimit -n): 9000 tunnels need 20000"
}

say() {
  printf 'bench: %s\n' "$*" >&2
}

choose() {
  contenders=
  for each in direct $ours ${previous:+one-hop-previous two-tier-previous} $variants \
    $(printf '%s' "$peers" | sed 's/=.*//') $others; do
    case " ${named:-$each} " in
    *" $each "*) ;;
    *) continue ;;
    esac
    if has_contender "$each"; then
      contenders="$contenders $each"
    else
      say "$each is not there (contrib/bench-peers)"
    fi
  done
  [ -n "$contenders" ] || fail "none of the contenders is there"
}

# wants CONTENDER MEASURE ROUND: whether it takes part in that.
wants() {
  case $1:$2 in
  *-quiet:connect | *-spare:connect | *-pipelined:connect) ;;
  *-quiet:* | *-spare:* | *-pipelined:*) return 1 ;;
  esac
  [ "$2" != idle ] || [ "$3" -le "$idle_rounds" ]
}

# take NAME MEASURE OPTION...: one result of the contender that runs. NAME goes before
# those that it prints.
take() {
  prefix=$1
  shift
  status=0
  # shellcheck disable=SC2086 # several words
  timeout "$limit_s" "$GAUGE" "$@" $options "$how" "$at" "$target" \
    >"$work/out" 2>"$work/err" || status=$?
  sed "s/^/$round $contender $prefix./" "$work/out" >>"$results"
  [ "$status" -eq 0 ] || {
    say "$contender, $*: $(tail -n 1 "$work/err") (status $status)"
    printf '%s %s %s.broken 1\n' "$round" "$contender" "$prefix" >>"$results"
  }
}

# Two daemons have four threads for each tunnel.
threads_for() {
  pid_max=$(cat /proc/sys/kernel/pid_max 2>/dev/null || echo 32768)
  [ $(($1 * 4 + 2000)) -le "$pid_max" ]
}

# Those of others that are cut make a process or much else of each tunnel.
levels_of() {
  case $1 in
  two-tier*)
    if threads_for "${levels##*,}"; then
      echo "$levels"
    else
      say "kernel.pid_max is $pid_max: no ${levels##*,} tunnels through two daemons"
      echo "${levels%,*}"
    fi
    ;;
  socat | dante | ssh-D) echo "$levels" | sed 's/,1000.*/,1000/' ;;
  *) echo "$levels" ;;
  esac
}

measure_bulk() {
  for n in 1 16; do
    take "up$n" bulk -s "$seconds" -n "$n"
    take "down$n" bulk -s "$seconds" -n "$n" -d
  done
}
measure_connect() {
  take connect connect -s "$seconds" -n "$clients"
}
measure_roundtrip() {
  take roundtrip roundtrip -s "$seconds"
}
measure_idle() {
  take idle idle -s "$settle" -l "$(levels_of "$contender")"
}
measure_udp() {
  [ -n "$at_udp" ] || return 0
  at=$at_udp
  take udp udp -s "$seconds" -n "$window"
}

# measure WHAT CONTENDER, which starts anew for it.
measure() {
  contender=$2
  if start_contender "$contender"; then
    options=
    for each in $pids; do
      options="$options -p $each"
    done
    "measure_$1"
  else
    say "$contender does not start: $why"
  fi
  stop_contender
}

machine() {
  model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
  mem=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
  system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release 2>/dev/null)
  printf '# machine %s, %s processors, %s GB; Linux %s; %s\n' "${model:-unknown}" \
    "$(getconf _NPROCESSORS_ONLN)" "$mem" "$(uname -r | sed 's/[^0-9.].*//')" "$system"
  printf '# load %s\n' "$(cut -d ' ' -f 1 /proc/loadavg)"
}

describe() {
  machine
  printf '# when %s\n' "$(date +%Y-%m-%d)"
  printf '# rounds %s\n# seconds %s\n# command %s\n' "$rounds" "$seconds" "$command"
}

raise_fds
choose
: >"$work/target.log"
"$GAUGE" target >"$work/target.log" 2>&1 </dev/null &
own $!
wait_for log_has target 'listening on' || fail "the target does not start"
target=$(port target 1)
describe >"$results" || fail "cannot write $results"
round=0
while [ "$round" -lt "$rounds" ]; do
  round=$((round + 1))
  for what in $measures; do
    say "round $round of $rounds: $what"
    for each_contender in $contenders; do
      ! wants "$each_contender" "$what" "$round" || measure "$what" "$each_contender"
    done
  done
done
perl "$top/tests/bench/report.pl" --svg "$svg" ${readme:+--readme "$readme"} "$results"
