#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What one more connection, and one more message there and back, cost the daemons: system
# calls, by strace, and instructions of their own, by callgrind. A change that makes them
# dearer shows here. Unlike times these numbers hardly differ between machines, and from
# run to run by one in a hundred, or by a call of futex(2). All that was counted is told,
# as a table, so that the log of one run can be held beside that of another.
#
# Instructions depend on compiler and processor, and are judged where the bounds were
# found: on x86-64, optimized. Switches are how often threads wait for something; how
# often they must is for the scheduler to say, so they are told only.

# The most that one more may cost, close above what was counted when that was set; who
# makes it cheaper lowers it. The first column is who is counted: dcsd, or pppd-socks by
# the way it speaks to its upstream. Calls are all system calls; futex is futex(2); work
# is all but futex, poll and recv, which are made once more where something is not there
# yet: it is the same in each run, and one call more is seen.
bounds='
                      calls  futex  work  instructions
  dcsd       connect   46.0    4.0  28.4         15500
  standard   connect   46.0    4.0  27.4         24900
  spare      connect   54.0   11.0  28.0         26400
  pipelined  connect   42.0    4.0  25.4         24700
  dcsd       roundtrip  6.4    0.4   4.2          1040
  standard   roundtrip  6.4    0.4   4.2          1040'

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

GAUGE=$(absolute "${GAUGE:-./tests/bench/gauge}")
[ -x "$GAUGE" ] || skip "there is no $GAUGE"
has strace || skip "no strace"
! grep -q '__[at]san_init' "$DCSD" || skip "a sanitizer makes system calls of its own"
strace -D -f -c -o "$work/trial" true 2>"$work/err" ||
  skip "strace may not trace: $(tail -n 1 "$work/err")"
callgrind="valgrind --tool=callgrind --callgrind-out-file=/dev/null \
  --log-file=$work/instructions"
# shellcheck disable=SC2086 # several words
if ! has valgrind || ! $callgrind true 2>"$work/err"; then
  skip_part "no valgrind that runs: instructions are not counted"
  callgrind=
fi
judges_instructions() {
  [ -n "$callgrind" ] && [ "$(uname -m)" = x86_64 ] &&
    grep -q '^CFLAGS = .*-O[1-3s]' Makefile
}

few=100 more=300

# each_case COMMAND...: with the words of each line of the bounds.
each_case() {
  while read -r who measure most_calls most_futex most_work most_instructions; do
    [ -z "$most_instructions" ] || "$@"
  done <<END
$bounds
END
}

# serve TOOL...: starts the daemon of the case, under the tool; $pid. A log would be
# written line by line or by many at once, as it happens.
serve() {
  program=$PPPD_SOCKS how=plain
  [ "$who" != dcsd ] || program=$DCSD how=socks
  start counted "$@" "$program" -c "$work/$who.conf"
}

load() {
  "$GAUGE" "$measure" -c "$1" "$how" "$(port counted 1)" "$target" \
    >"$work/out" 2>"$work/err" </dev/null || fail "$who, $measure: the load fails"
  [ "$measure" != connect ] || expect_text out "failed 0" "connections"
}

# count_calls, count_instructions N: of a daemon that has carried so many, as lines
# NUMBER NAME at the end of the file of the case and N. strace is the daemon's grandchild,
# and ends after it.
summed() {
  grep -q ' total$' "$work/calls" 2>/dev/null
}
count_calls() {
  rm -f "$work/calls"
  serve strace -D -f -c -U calls,name -o "$work/calls"
  load "$1"
  stop "$pid"
  wait_for summed || fail "strace does not end"
  awk '$1 ~ /^[0-9]+$/ { sub("total", "calls", $2); print $1, $2 }' "$work/calls" \
    >>"$work/$who.$measure.$1"
}
count_instructions() {
  [ -n "$callgrind" ] || return 0
  # shellcheck disable=SC2086 # several words
  serve $callgrind
  load "$1"
  stop "$pid"
  sed -n 's/.*Collected : \([0-9]*\)$/\1 instructions/p' "$work/instructions" \
    >>"$work/$who.$measure.$1"
}

# switches: how often all threads of the daemon have waited until now.
switches() {
  cat "/proc/$pid/task"/*/status |
    awk '$1 == "voluntary_ctxt_switches:" { n += $2 } END { print n }'
}

# count: $work/CASE.MEASURE has lines NAME COST: what one more costs, which start and end
# have no part in.
count() {
  for n in $few $more; do
    count_calls "$n"
    count_instructions "$n"
  done
  serve
  load "$few"
  before=$(switches)
  load "$more"
  {
    awk -v n="$((more - few))" 'NR == FNR { few[$2] = $1; next }
      { each = ($1 - few[$2]) / n; print $2, each }
      $2 == "calls" { work += each }
      $2 ~ /^(futex|poll|ppoll|recvfrom)$/ { work -= each }
      END { print "work", work }' \
      "$work/$who.$measure.$few" "$work/$who.$measure.$more"
    echo "$(switches) $before $more" | awk '{ print "switches", ($1 - $2) / $3 }'
  } >"$work/$who.$measure"
  stop "$pid"
  results="$results $who.$measure"
}

# table: a row for each name, a column for each case and measure.
row() {
  printf '    %-16s' "$1"
  for result in $results; do
    awk -v name="$1" '$1 == name && $2 >= 0.005 { cost = $2 }
      END { printf "%11s", cost ? sprintf(cost < 1000 ? "%.2f" : "%.0f", cost) : "-" }' \
      "$work/$result"
  done
  echo
}
table() {
  printf '    %-16s' ''
  for result in $results; do printf '%11s' "${result%.*}"; done
  printf '\n    %-16s' 'for each'
  for result in $results; do printf '%11s' "${result#*.}"; done
  echo
  # shellcheck disable=SC2086 # several words
  names=$(cd "$work" && awk '$2 >= 0.005 { print $1 }' $results | sort -u |
    grep -vx -e calls -e work -e switches -e instructions)
  for each in calls work switches instructions $names; do
    row "$each"
  done
}

# judge: against the bounds.
too_dear=
within() {
  cost=$(awk -v name="$1" '$1 == name && $2 > 0 { cost = $2 }
    END { printf "%.2f", cost }' "$work/$who.$measure")
  if echo "$cost $2" | awk '{ exit !($1 <= $2) }'; then
    ok "$who, $measure: $cost $1 for each, of at most $2"
  else
    too_dear="$too_dear
$who, $measure: $cost $1 for each, $2 are allowed"
  fi
}
judge() {
  grep -q '^calls [1-9]' "$work/$who.$measure" || fail "$who, $measure: nothing counted"
  within calls "$most_calls"
  within futex "$most_futex"
  within work "$most_work"
  ! judges_instructions || within instructions "$most_instructions"
}

# configure NAME SETTINGS: pppd-socks, and what it is told of its upstream.
configure() {
  cat >"$work/$1.conf" <<END
log: { level = "notice"; };
upstreams = ( { address = "127.0.0.1:$(port upstream 1)"; $2 } );
routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; } );
END
}

: >"$work/target.log"
"$GAUGE" target >"$work/target.log" 2>&1 </dev/null &
own $!
wait_for log_has target 'listening on' || fail "the target does not start"
target=$(port target 1)
printf 'listen = "127.0.0.1:0";\nlog: { level = "notice"; };\n' >"$work/dcsd.conf"
start upstream "$DCSD" -c "$work/dcsd.conf"
configure standard ''
configure spare 'spare = 4;'
configure pipelined 'handshake = "pipelined";'

results=
each_case count
table
each_case judge
[ -z "$too_dear" ] || fail "dearer than allowed:$too_dear"
