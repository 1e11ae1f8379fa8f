#!/bin/sh
# SPDX-License-Identifier: ISC
#
# USR2, of both daemons: the program that is installed by then takes over, again and
# again, and clients who come all the time and tunnels that live all the time do not see
# it, nor one that cannot start.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl"
[ -d /proc/self/fd ] || skip "no /proc, which tells who runs here"
TUNNELCTL=$(absolute "${TUNNELCTL:-./tunnelctl}")
collect_reports
run=$work/run
mkdir "$work/bin" "$run"

# install_again: puts a new file in the place of the program, as a package does.
install_again() {
  cp "$program" "$work/bin/new"
  mv "$work/bin/new" "$work/bin/$daemon"
}

# route NAME LISTEN PORT: with $more.
more=
route() {
  printf '{ name = "%s"; listen = "%s"; target = "127.0.0.1:%s"; %s }' "$@" "$more"
}

# config [LISTEN] [KEYS]: listens there as well; with more keys.
config() {
  if [ "$daemon" = dcsd ]; then
    printf 'listen = [ "%s"%s ];\n' "$where" "${1:+, \"$1\"}"
  else
    printf 'upstreams = ( { name = "up"; address = "127.0.0.1:%s"; } );\n' "$upstream"
    printf 'routes = ( %s%s );\n' "$(route kept "$where" "$echo")" \
      "${1:+, $(route other "$1" 9)}"
  fi >"$work/new"
  printf 'pidfile = "%s"; control = "%s";\n%s\n%s\n' "$run/pid" "$run/ctl" "$log_keys" \
    "${2:-}" >>"$work/new"
  mv "$work/new" "$work/main.conf"
}

# take_pid: $pid is who the pidfile names.
take_pid() {
  pid=$(cat "$run/pid") || fail "no pidfile"
  own "$pid"
}

# start_daemon: as it is installed; $pid is the process, and $at where it listens.
start_daemon() {
  rm -f "$work/main.log"
  install_again
  if [ "$foreground" = yes ]; then
    start main "$work/bin/$daemon" -c "$work/main.conf"
    first=$pid
  else
    # shellcheck disable=SC2016 # the inner shell expands
    expect_run 0 "$daemon, in the background" sh -c \
      'cd "$1" && exec "./$2" -c ../main.conf' sh "$work/bin" "$daemon"
    first=
  fi
  take_pid
  at=127.0.0.1:$(port main 1)
}

# ctl STATUS COMMAND...: of tunnelctl.
ctl() {
  expected_status=$1
  shift
  expect_run "$expected_status" "tunnelctl $*" "$TUNNELCTL" -s "$run/ctl" "$@"
}

# expect_serves PID: it holds the pidfile, and answers at the control socket.
expect_serves() {
  [ "$(cat "$run/pid")" = "$1" ] || fail "the pidfile has $(cat "$run/pid"), not $1"
  ctl 0 status
  grep -qx "pid $1" "$work/out" || fail "not $1 answers at the control socket"
  expect_run 1 "a second start" "$work/bin/$daemon" -c "$work/main.conf" ${first:+-f}
  expect_text err "already running (pid $1)" "a second start"
}

outcomes() {
  grep -Ec 'upgrade: (done|failed)' "$work/main.log"
}
more_outcomes() {
  [ "$(outcomes)" -gt "$before" ] || gone "$old"
}
# usr2 WANT: ends with "upgrade: WANT". $old was asked.
usr2() {
  old=$pid before=$(outcomes)
  kill -USR2 "$old"
  wait_for more_outcomes || fail "the upgrade does not end"
  grep -E 'upgrade: (done|failed)' "$work/main.log" | tail -n 1 | grep -q "$1" ||
    fail "the upgrade is not $1"
}

# upgrade: to the program that is there. $pid is the new process, $old the one before.
upgrade() {
  usr2 'done'
  take_pid
  [ "$pid" -ne "$old" ] || fail "the pidfile still names the old process"
  wait_for log_has main "process $pid serves" || fail "the new process is not told"
}

# upgrade_fails TEXT: and all is as before.
upgrade_fails() {
  usr2 failed
  wait_for log_has main "$1" || fail "why an upgrade fails is not told: $1"
  expect_serves "$old"
  ask_load check
}

many_upgrades() {
  i=0 olds=
  while [ "$i" -lt 10 ]; do
    i=$((i + 1))
    install_again
    upgrade
    olds="$olds $old"
    if [ "$i" = 1 ] || [ "$i" = 6 ]; then
      ask_load "hold $how $at"
    fi
  done
  expect_serves "$pid"
  ask_load check
  # shellcheck disable=SC2086 # words
  set -- $olds
  gone "$1" && fail "the first process ended before its tunnels"
  ok "$daemon: ten upgrades under load"
}

without_success() {
  printf '#!/bin/sh\nexit 3\n' >"$work/bin/new"
  chmod 755 "$work/bin/new"
  mv "$work/bin/new" "$work/bin/$daemon"
  usr2 failed
  wait_for log_has main 'ended with status 3' ||
    fail "how the new program ended is not told"
  rm "$work/bin/$daemon"
  usr2 failed
  wait_for log_has main "No such file" ||
    fail "that there is no program is not told"
  install_again
  config '' 'no_such_key = 1;'
  usr2 failed
  grep -Eq 'upgrade: .*main.conf:[0-9]+: .*no_such_key' "$work/main.log" ||
    fail "a fault of the configuration is not told"
  config "127.0.0.1:$echo"
  upgrade_fails "127.0.0.1:$echo"
  config
  upgrade
  ask_load check
  expect_serves "$pid"
  ok "$daemon: one that cannot start changes nothing, and the next one is good"
}

drained() {
  ctl 0 drain "$at"
  upgrade
  ctl 0 status
  expect_text out "listener $at" "after an upgrade of one that was drained"
  ctl 0 resume "$at"
}

# Reloads, by another thread than the upgrades, as many as fit in. Who asks a process that
# is being replaced is told so, or loses the connection.
reloads_at_once() {
  (
    while [ ! -e "$work/enough" ]; do
      "$TUNNELCTL" -s "$run/ctl" reload 2>&1 || :
    done
  ) >"$work/reloads.log" 9>&- &
  reloading=$!
  own "$reloading"
  for i in 1 2 3 4 5; do
    upgrade
    olds="$olds $old"
    ask_load check
  done
  : >"$work/enough"
  expect_end "$reloading" 0 "the reloads"
  rm "$work/enough"
  grep -Ev 'ERROR the daemon (is about to end|ends)$|reset by peer$|not whole' \
    "$work/reloads.log" && fail "a reload at the same time says something else"
  expect_serves "$pid"
  ok "$daemon: reloads and upgrades at once"
}

all_gone() {
  for each in $olds; do
    gone "$each" || return 1
  done
}

# With timeouts.upgrade.
cut_in_time() {
  start_load
  config '' 'timeouts: { upgrade = 1; };'
  upgrade
  ask_load "dial $how $at"
  ask_load "hold $how $at"
  upgrade
  wait_for gone "$old" || fail "timeouts.upgrade does not end the old process"
  ask_load check
  stop_load 8 8
  ok "$daemon: timeouts.upgrade ends the tunnels of the old process"
}

# While it waits for one that hangs.
ends_well() {
  printf '#!/bin/sh\necho hangs\necho $$ >%s\nexec sleep 600\n' "$work/hanging" \
    >"$work/bin/new"
  chmod 755 "$work/bin/new"
  mv "$work/bin/new" "$work/bin/$daemon"
  kill -USR2 "$pid"
  wait_for test -s "$work/hanging" || fail "the new program is not started"
  hanging=$(cat "$work/hanging")
  rm "$work/hanging"
  own "$hanging"
  kill "$pid"
  wait_for gone "$pid" || fail "it does not end while it waits for the new process"
  wait_for log_has main 'upgrade: hangs' ||
    fail "what the new program has said is not told"
  gone "$hanging" || fail "a new process that hangs is left behind"
  [ -z "$(ls -A "$run")" ] || fail "left behind: $(ls -A "$run")"
  [ -z "$first" ] || expect_end "$first" 0 "the first process"
  ok "$daemon: TERM ends it, also in an upgrade, and pidfile and control socket go"
}

# target_at PORT: somebody listens there, and takes no clients; 0: at any. $target is who.
target_at() {
  : >"$work/target.log"
  perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift,
      Listen => 9, ReuseAddr => 1) or die "$!";
    $| = 1;
    print "target: listening on 127.0.0.1:", $s->sockport, "\n";
    sleep 600' "$1" >"$work/target.log" 2>&1 </dev/null &
  target=$!
  own "$target"
  wait_for log_has target listening || fail "no target"
}
connects() {
  perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(shift)' "$at"
}
refuses() {
  perl -MIO::Socket::INET -e '
    exit !(!IO::Socket::INET->new(shift) && $!{ECONNREFUSED})' "$at"
}

# A port that refuses clients, since its target is away, does so for the new process as
# well, and takes them again.
refusing() {
  target_at 0
  echo=$(port target 1)
  kill -9 "$target"
  forget "$target"
  wait_for gone "$target"
  more='on_failure = "refuse"; probe: { interval = 0.1; };'
  config
  more=
  start_daemon
  wait_for refuses || fail "a port with no target takes clients"
  ctl 0 reload
  refuses || fail "after a reload a port with no target takes clients"
  upgrade
  wait_for gone "$old" || fail "the process without tunnels does not end"
  wait_for refuses || fail "after an upgrade a port with no target takes clients"
  target_at "$echo"
  wait_for connects || fail "a port does not take clients again after an upgrade"
  kill -9 "$target"
  forget "$target"
  wait_for refuses || fail "a port with no target takes clients"
  kill "$pid"
  wait_for gone "$pid" || fail "it does not end"
  ok "$daemon: a port that refuses clients is left to the new process"
}

# test_one HOW FOREGROUND
test_one() {
  how=$1 foreground=$2 where=127.0.0.1:0
  log_keys="log: { file = \"$work/main.log\"; };"
  [ "$foreground" = yes ] && log_keys=
  start_load
  config
  start_daemon
  ask_load "dial $how $at"
  ask_load "hold $how $at"
  many_upgrades
  without_success
  reloads_at_once
  stop_load 24 0
  olds="$olds $old"
  wait_for all_gone || fail "old processes do not end with their tunnels"
  drained
  cut_in_time
  ends_well
}

# As nobody, at a port that only root can bind.
low_port() {
  perl -MIO::Socket::INET -e '
    for (1 .. 50) {
      my $port = 600 + int rand 400;
      print($port), exit if IO::Socket::INET->new(
        LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 1);
    }'
}
as_nobody() {
  is_root || {
    skip_part "not root: no privileges to give up"
    return
  }
  foreground=no where=127.0.0.1:$(low_port)
  chown nobody "$run"
  start_load
  config '' 'user = "nobody";'
  start_daemon
  at=$where
  ask_load "dial $how $at"
  for i in 1 2 3; do
    upgrade
    grep -q "^Uid:[[:space:]]$(id -u nobody)[[:space:]]" "/proc/$pid/status" ||
      fail "$daemon: upgrade $i: the new process is not nobody"
  done
  expect_serves "$pid"
  stop_load 0 0
  kill "$pid"
  wait_for gone "$pid" || fail "the new process does not end"
  ok "$daemon: as nobody, at a port below 1024"
  chown root "$run"
  rm -f "$run"/*
}

daemon=dcsd program=$DCSD
test_one socks no
as_nobody
test_one socks yes

printf 'listen = "127.0.0.1:0";\n' >"$work/dcsd.conf"
start dcsd "$DCSD" -c "$work/dcsd.conf" -p "$work/dcsd.pid"
dcsd=$pid
upstream=$(port dcsd 1)
daemon=pppd-socks program=$PPPD_SOCKS
test_one plain no
refusing
as_nobody
test_one plain yes
stop "$dcsd"
expect_no_report
