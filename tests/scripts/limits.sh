#!/bin/sh
# SPDX-License-Identifier: ISC
#
# When the fds run out the daemons wait quietly until there are some; a start with too
# little says what to raise. (FAULTS E1, E10.)

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the client here"
[ -r /proc/self/stat ] || skip "no /proc, which tells fds and CPU time"

# ask NAME PORT: opens a connection, says when it did, greets, and says what came back.
ask() {
  : >"$work/$1.log"
  perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift);
    $| = 1;
    print "open\n" if $s || $!{ECONNRESET}; # may come before connect(2) returns
    print("reset\n"), exit unless $s;
    alarm 600;
    $SIG{PIPE} = "IGNORE";
    my $sent = syswrite($s, "\5\1\0"); # takes the reset, if it was there first
    my $n = $sent ? sysread($s, my $reply, 2) : undef;
    print defined $n ? $n == 2 ? "answered\n" : "end\n" : "reset\n";
    sleep 600 if $n;' "$2" >"$work/$1.log" 2>&1 </dev/null &
  asker=$!
  own "$asker"
  wait_for log_has "$1" open || fail "$1: cannot connect"
}
drop() {
  kill -9 "$asker" 2>/dev/null # it may have been answered with the end
  forget "$asker"
}

# CPU time of the daemon so far, user and system, in ticks.
ticks() {
  sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 12,13 | {
    read -r user system
    echo $((user + system))
  }
}

# fds_taken: the soft limit at which nothing more can be opened.
fds_taken() {
  highest=0
  for fd in "/proc/$pid/fd"/*; do
    [ "${fd##*/}" -gt "$highest" ] && highest=${fd##*/}
  done
  free=0
  for fd in $(seq 0 "$highest"); do
    [ -L "/proc/$pid/fd/$fd" ] || free=$((free + 1))
  done
  echo $((highest + 1))
}

# squeezed NAME: no fd is left for the daemon $pid, which has one client less than it
# wants. fds freed below the highest one are used up first.
squeezed() {
  name=$1 at=$2
  limit=$(fds_taken)
  prlimit --pid "$pid" --nofile="$limit:" || fail "prlimit: cannot set the limit"
  i=0
  until log_has "$name" "accept: "; do
    i=$((i + 1))
    [ "$i" -le 64 ] || fail "$name: the limit $limit does not bite"
    ask "$name-asker-$i" "$at"
    askers="$askers $asker"
    told() { log_has "$name" "accept: " || log_has "$name-asker-$i" answered ||
      log_has "$name" "tunnel id="; }
    wait_for told || fail "$name: neither served nor told"
  done
}

fds_run_out() {
  daemon=$1 name=$1
  daemon_port=$(port "$name" 1)
  askers=
  before=$(prlimit --pid "$pid" --nofile --noheadings --output SOFT | tr -d ' ')
  squeezed "$name" "$daemon_port"
  last=$name-asker-$i
  wait_for log_has "$name" "accept: Too many open files" ||
    fail "$daemon: $(grep accept "$work/$name.log")"

  from=$(ticks)
  sleep 3
  used=$(($(ticks) - from))
  # A spin would use 3 s of a CPU, or as much of it as it gets; this is a tenth of it.
  [ "$used" -le $((3 * $(getconf CLK_TCK) / 10)) ] ||
    fail "$daemon: it used $used ticks in 3 s without an fd to accept with"
  [ "$(log_count "$name" "accept: ")" -eq 1 ] ||
    fail "$daemon: told $(log_count "$name" "accept: ") times"
  if [ "$daemon" = dcsd ]; then
    log_has "$last" answered && fail "dcsd: served without an fd"
  fi

  prlimit --pid "$pid" --nofile="$before:" || fail "prlimit: cannot raise the limit"
  if [ "$daemon" = dcsd ]; then
    served() { log_has "$last" answered; }
  else
    served() { [ "$(log_count "$name" "tunnel id=")" -ge "$i" ]; }
  fi
  wait_for served || fail "$daemon: the client that waited is not served"
  for asker in $askers; do
    drop
  done
  ok "$daemon: without fds it waits quietly, says so once, and recovers"
}

if has prlimit && has getconf && has seq; then
  printf 'listen = "127.0.0.1:0";\ntimeouts: { drain = 0; };\n' >"$work/conf"
  start dcsd "$DCSD" -c "$work/conf"
  fds_run_out dcsd
  stop "$pid"
  : >"$work/conf"
  # The upstream refuses: each client that is accepted ends at once, with its log line.
  start pppd-socks "$PPPD_SOCKS" -c "$work/conf" -L 127.0.0.1:0:127.0.0.1:9 -s 127.0.0.1:9
  fds_run_out pppd-socks
  stop "$pid"
else
  skip_part "fds that run out: no prlimit, getconf or seq"
fi

expect_run 1 "no room" prlimit --nofile=64:64 "$DCSD" -f -l 127.0.0.1:0
expect_text err 'there is no room for a tunnel, bound by ulimit -n (64): ' "no room"
expect_text err 'LimitNOFILE=' "no room"
printf 'listen = "127.0.0.1:0"; limits: { tunnels = 1000; };\n' >"$work/conf"
expect_run 1 "little room" prlimit --nofile=1000:1000 "$DCSD" -f -c "$work/conf"
expect_text err 'limits.tunnels = 1000, but there is room for 367 only' "little room"
ok "less room than limits.tunnels, or none at all, is an error of the start"
