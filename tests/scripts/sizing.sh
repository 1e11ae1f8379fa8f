#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What doc/SCALING says about sizes: 100 tunnels take the file descriptors and threads of
# its table, in both daemons; its formulas are those that the daemons reckon with; and its
# settings are enough for the number of tunnels that they are for.

# shellcheck disable=SC2016 # the dollars are for perl
:
# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

scaling=$top/doc/SCALING
has perl || skip "no perl, which is both ends of the tunnels"
has prlimit || skip "no prlimit"
[ -r /proc/self/status ] || skip "no /proc, which tells what a process has"

# row NAME COLUMN: a cell of a table, of which two spaces end each; 2 is the first one.
row() {
  sed -n "s/^ *$1  *\([^ ].*\)/\1/p" "$scaling" | head -n 1 |
    awk -F '  +' -v column="$(($2 - 1))" '{ print $column }'
}

# The target: takes connections, and keeps them.
: >"$work/target.log"
perl -MIO::Socket::INET -e '
  my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 128) or die;
  $| = 1;
  print "listening on 127.0.0.1:", $s->sockport, "\n";
  my @all;
  while (my $c = $s->accept) {
    push @all, $c;
  }' >"$work/target.log" 2>&1 </dev/null &
own $!
wait_for log_has target 'listening on' || fail "the target did not start"
target=$(sed -n 's/.*://p' "$work/target.log")

tunnels=100
printf 'listen = "127.0.0.1:0";\ntimeouts: { drain = 0; };\n' >"$work/dcsd.conf"
start dcsd "$DCSD" -c "$work/dcsd.conf"
dcsd=$pid
printf 'timeouts: { drain = 0; };\n' >"$work/ppp.conf"
start pppd-socks "$PPPD_SOCKS" -c "$work/ppp.conf" -L "127.0.0.1:0:127.0.0.1:$target" \
  -s "127.0.0.1:$(port dcsd 1)"
ppp=$pid

# Without the pipes, which all tunnels share.
fds() {
  find "/proc/$1/fd" -type l ! -lname 'pipe:*' | wc -l
}
threads() {
  find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l
}
# grown WHAT PID: whether there is as much more of it as 100 tunnels should take.
grown() {
  [ $(($($1 "$2") - $(cat "$work/$1.$2"))) -eq $((tunnels * each)) ]
}

for daemon in "$dcsd" "$ppp"; do
  for what in fds threads; do
    $what "$daemon" >"$work/$what.$daemon"
  done
done
hold clients "$(port pppd-socks 1)" "$tunnels" ''
for daemon in "$dcsd" "$ppp"; do
  for what in fds threads; do
    case $what in
    fds) each=$(row 'file descriptors' 2) ;;
    *) each=$(row threads 2) ;;
    esac
    [ "${each:-0}" -gt 0 ] || fail "no number of $what in doc/SCALING"
    wait_for grown "$what" "$daemon" ||
      fail "$what of $tunnels tunnels: $($what "$daemon"), not $each for each"
  done
done
stop "$ppp"
stop "$dcsd"
ok "file descriptors and threads of $tunnels tunnels"

# formula LIMIT COLUMN N: its value, with one listening address, 10 spares of 1 upstream.
formula() {
  text=$(row "$1" "$2" | sed "s/N/* $3/; s/L/1/; s/S/10/; s/ U/ * 1/")
  [ -n "$text" ] || fail "no formula for $1"
  awk "BEGIN { printf \"%d\", $text }"
}

# reckons NAME COLUMN PROGRAM ARGUMENT...: what it says of a million tunnels.
reckons() {
  name=$1
  column=$2
  shift 2
  expect_run 1 "a million tunnels" prlimit --nofile=1000:1000 "$@"
  expect_text err "bound by ulimit -n (1000): $(formula 'ulimit -n' "$column" 1000000) " \
    "$name"
  # The others of this machine may be high enough.
  for limit in 'ulimit -u' kernel.threads-max kernel.pid_max vm.max_map_count; do
    needed=$(sed -n "s/.* bound by $limit ([^)]*): \([0-9]*\) are needed.*/\1/p" \
      "$work/err")
    value=$(formula "$limit" "$column" 1000000)
    [ "${needed:-$value}" -eq "$value" ] ||
      fail "$name: $limit must be $needed, doc/SCALING says $value"
  done
}

printf 'listen = "127.0.0.1:0";\nlimits: { tunnels = 1000000; };\n' >"$work/dcsd.conf"
reckons dcsd 2 "$DCSD" -f -c "$work/dcsd.conf"
cat >"$work/ppp.conf" <<'END'
limits: { tunnels = 1000000; };
upstreams = ( { address = "127.0.0.1:1"; spare = 10; } );
END
reckons pppd-socks 3 "$PPPD_SOCKS" -f -c "$work/ppp.conf" -L 127.0.0.1:0:127.0.0.1:1
ok "the formulas"

# setting NAME LIMIT HOW-MANY: the value beside NAME is enough for so many daemons.
n=$(sed -n 's/^machine\. For \([0-9]*\),\([0-9]*\) in each .*/\1\2/p' "$scaling")
[ -n "$n" ] || fail "no number of tunnels for the settings"
setting() {
  set=$(sed -n "s/^ *$1 *= *\([0-9]*\)\$/\1/p" "$scaling" | head -n 1)
  [ "${set:-0}" -ge $(($(formula "$2" 3 "$n") * $3)) ] ||
    fail "$1 = $set is too little for $n tunnels"
}
setting LimitNOFILE 'ulimit -n' 1
setting vm.max_map_count vm.max_map_count 1
setting kernel.threads-max kernel.threads-max 2
setting kernel.pid_max kernel.pid_max 2
ok "the settings"
