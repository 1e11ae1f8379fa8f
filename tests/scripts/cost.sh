#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a connection, and a message there and back, cost in system calls, in both daemons,
# by strace: a change that makes them dearer shows here. Unlike times these numbers hardly
# differ between machines. The bounds are a little above what was counted when they were
# set: calls of futex(2) vary by one or two. Who makes it cheaper lowers them.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

GAUGE=$(absolute "${GAUGE:-./tests/bench/gauge}")
[ -x "$GAUGE" ] || skip "there is no $GAUGE"
has strace || skip "no strace"
! grep -q '__[at]san_init' "$DCSD" || skip "a sanitizer makes system calls of its own"
strace -D -f -c -o "$work/trial" true 2>"$work/err" ||
  skip "strace may not trace: $(tail -n 1 "$work/err")"

few=100 more=300

: >"$work/target.log"
"$GAUGE" target >"$work/target.log" 2>&1 </dev/null &
own $!
wait_for log_has target 'listening on' || fail "the target does not start"
target=$(port target 1)

# traced NAME PROGRAM ARGUMENT...: as start; strace is its grandchild, and writes
# $work/NAME.calls when it has ended.
traced() {
  traced_name=$1
  shift
  rm -f "$work/$traced_name.calls"
  start "$traced_name" strace -D -f -c -U calls,name -o "$work/$traced_name.calls" "$@"
}

summed() {
  grep -q ' total$' "$work/$1.calls" 2>/dev/null
}

# end_traced NAME PID: $count is all the calls that it has made.
end_traced() {
  stop "$2"
  wait_for summed "$1" || fail "strace of $1 does not end"
  count=$(awk '$2 == "total" { print $1 }' "$work/$1.calls")
}

# load MEASURE COUNT HOW PORT
load() {
  "$GAUGE" "$1" -c "$2" "$3" "$4" "$target" >"$work/out" 2>"$work/err" ||
    fail "the load fails"
  [ "$1" != connect ] || expect_text out "failed 0" "connections"
}

# dcsd_calls, ppp_calls MEASURE COUNT: $count is the calls of a daemon that has carried so
# many. A log would be written line by line or by many at once, as it happens.
printf 'listen = "127.0.0.1:0";\nlog: { level = "notice"; };\n' >"$work/dcsd.conf"
dcsd_calls() {
  traced dcsd "$DCSD" -c "$work/dcsd.conf"
  load "$1" "$2" socks "$(port dcsd 1)"
  end_traced dcsd "$pid"
}
ppp_calls() {
  traced ppp "$PPPD_SOCKS" -c "$work/ppp.conf"
  load "$1" "$2" plain "$(port ppp 1)"
  end_traced ppp "$pid"
}

# cost DAEMON MEASURE BOUND: what one more costs, which start and end have no part in.
cost() {
  "$1_calls" "$2" "$few"
  base=$count
  "$1_calls" "$2" "$more"
  each=$(echo "$base $count $((more - few))" | awk '{ printf "%.2f", ($2 - $1) / $3 }')
  echo "$each $3" | awk '{ exit !($1 > 0 && $1 <= $2) }' ||
    fail "$1, $2: $each system calls for each, $3 are allowed:
$(cat "$work/$1.calls")"
  ok "$1, $2: $each system calls for each, of at most $3"
}

cost dcsd connect 60
cost dcsd roundtrip 6.5

start upstream "$DCSD" -c "$work/dcsd.conf"
cat >"$work/ppp.conf" <<END
log: { level = "notice"; };
upstreams = ( { address = "127.0.0.1:$(port upstream 1)"; } );
routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; } );
END
cost ppp connect 60
cost ppp roundtrip 6.5
