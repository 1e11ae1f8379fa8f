#!/bin/sh
# SPDX-License-Identifier: ISC
#
# HUP and tunnelctl reload, of both daemons: clients who come all the time and tunnels
# that live all the time do not see a hundred of them, good ones and failing ones.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl"
TUNNELCTL=$(absolute "${TUNNELCTL:-./tunnelctl}")
collect_reports
reloads=100

# fds PID: how many, but pipes, of which there is a pool.
fds() {
  for fd in "/proc/$1/fd"/*; do
    readlink "$fd"
  done 2>/dev/null | grep -vc '^pipe:'
}
threads() {
  sed -n 's/^Threads:[[:space:]]*//p' "/proc/$1/status"
}

# expect_baseline PID: it has the fds of the first time. Threads may be parked, but not as
# many as there were reloads.
at_baseline() {
  [ "$(fds "$1")" -le "$fds_before" ] &&
    [ "$(threads "$1")" -le $((threads_before + reloads / 2)) ]
}
mark() {
  fds_before=$(fds "$1")
  threads_before=$(threads "$1")
}
expect_baseline() {
  wait_for at_baseline "$1" || fail "$(fds "$1") fds and $(threads "$1") threads were \
$fds_before and $threads_before: $(ls -l "/proc/$1/fd")"
}

# route NAME LISTEN
route() {
  printf '{ name = "%s"; listen = "%s"; target = "127.0.0.1:%s"; }' "$@" "$echo"
}

# config NAME [ADDRESS:PORT] [KEYS]: listens at 127.0.0.1, and there as well; with more
# keys.
config() {
  if [ "$daemon" = dcsd ]; then
    printf 'listen = [ "127.0.0.1:0"%s ];\n' "${2:+, \"$2\"}"
  else
    printf 'upstreams = ( { name = "up"; address = "127.0.0.1:%s"; } );\n' "$upstream"
    printf 'routes = ( %s%s );\n' "$(route kept 127.0.0.1:0)" "${2:+, $(route b "$2")}"
  fi >"$work/new"
  printf 'control = "%s";\n%s\n' "$work/ctl" "${3:-}" >>"$work/new"
  mv "$work/new" "$work/$1.conf"
}

# start_one NAME [KEYS]: with that configuration; $at is where it listens.
start_one() {
  config "$1" '' "${2:-}"
  case $daemon in
  dcsd) start "$1" "$DCSD" -c "$work/$1.conf" ;;
  *) start "$1" "$PPPD_SOCKS" -c "$work/$1.conf" ;;
  esac
  at=127.0.0.1:$(port "$1" 1)
}

# last_at NAME: where it says last that it listens.
last_at() {
  sed -n 's/.*: listening on \([^ ]*\).*/\1/p' "$work/$1.log" | tail -n 1
}

outcomes() {
  grep -Ec 'reload: (done|failed)' "$work/$1.log"
}
more_outcomes() {
  [ "$(outcomes "$1")" -gt "$2" ] || gone "$3"
}

# hup NAME PID [failed]: reloads it, which is done, or failed.
hup() {
  before=$(outcomes "$1")
  kill -HUP "$2"
  wait_for more_outcomes "$1" "$before" "$2" || fail "$1: the reload does not end"
  gone "$2" && fail "$1: it ended"
  grep -E 'reload: (done|failed)' "$work/$1.log" | tail -n 1 |
    grep -q "reload: ${3:-done}" || fail "$1: the reload is not ${3:-done}"
}

# refuses ADDRESS:PORT: nobody listens there.
refuses() {
  perl -MIO::Socket::INET -e '
    exit !(!IO::Socket::INET->new(PeerAddr => shift) && $!{ECONNREFUSED})' "$1"
}

# Each tenth reload is of a file with a fault; each second one changes something.
broken() {
  case $(($1 / 10 % 4)) in
  0) config main '' 'limits: { tunnels = ' ;;
  1) config main '' 'no_such_key = 1;' ;;
  2) config main "127.0.0.1:$echo" ;;
  3) config main '' 'pidfile = 3;' ;;
  esac
}
told() {
  case $(($1 / 10 % 4)) in
  0) log_has main "main.conf:" && log_has main 'syntax error' ;;
  1) grep -Eq "reload: $work/main.conf:[0-9]+: .*no_such_key" "$work/main.log" ;;
  2) grep -Eq "reload: 127.0.0.1:$echo.*: Address already in use" "$work/main.log" ;;
  3) grep -Eq "reload: $work/main.conf:[0-9]+: .*pidfile" "$work/main.log" ;;
  esac
}
changed() {
  case $(($1 % 10)) in
  2) config main 127.0.0.2:0 ;;
  4) config main '' "$other" ;;
  6) config main 127.0.0.3:0 'timeouts: { idle = 4000; };' ;;
  8) config main '' 'limits: { tunnels = 1000; };' ;;
  esac
}

many_reloads() {
  i=0
  while [ "$i" -lt "$reloads" ]; do
    i=$((i + 1))
    case $i in
    *0)
      broken "$i"
      hup main "$main" failed
      told "$i" || fail "$daemon: reload $i: why it failed is not told"
      config main ''
      ;;
    *[2468])
      changed "$i"
      hup main "$main"
      ;;
    *) hup main "$main" ;;
    esac
  done
}

# ctl STATUS COMMAND...: of tunnelctl.
ctl() {
  expected_status=$1
  shift
  expect_run "$expected_status" "tunnelctl $*" "$TUNNELCTL" -s "$work/ctl" "$@"
}

# What an administrator sees, while clients come.
small_things() {
  config main '' 'log: { level = "notice"; };'
  hup main "$main"
  before=$(log_count main 'end=')
  ask_load check
  [ "$(log_count main 'end=')" -eq "$before" ] || fail "a log level has no effect"
  config main '' ''
  hup main "$main"
  ask_load check
  [ "$(log_count main 'end=')" -gt "$before" ] || fail "a log level has no effect"

  config main '' 'log: { facility = "local3"; };'
  hup main "$main"
  wait_for log_has main 'log.facility: it has changed, which takes a restart' ||
    fail "a key that takes a restart is not told"
  config main ''
  ctl 0 reload
  config main '' 'no_such_key = 1;'
  ctl 1 reload
  expect_text err ERROR "a reload that fails"
  config main ''
  before=$(log_count main 'reload: done')
  kill -HUP "$main"
  kill -HUP "$main"
  ctl 0 reload
  kill -HUP "$main"
  ctl 0 reload
  all_done() { [ "$(log_count main 'reload: done')" -ge $((before + 3)) ]; }
  wait_for all_done || fail "HUPs in a row are not done"
  ok "$daemon: the log level, what takes a restart, tunnelctl, and HUPs in a row"
}

# A place that goes, with tunnels through it that stay; and the drain.
leaving() {
  config main 127.0.0.4:0
  hup main "$main"
  place=$(last_at main)
  ask_load "hold $how $place"
  config main ''
  hup main "$main"
  wait_for log_has main "no longer listening on $place" ||
    fail "a port that goes is not told"
  refuses "$place" || fail "a port that has gone takes clients"
  ask_load check
  ok "$daemon: a port that has gone refuses, and its tunnels live on"
}

# A HUP while the tunnels of the load have time to end.
draining() {
  start_load
  start_one drain 'timeouts: { drain = 600; };'
  ask_load "hold $how $at"
  kill "$pid"
  wait_for log_has drain 'draining 8 tunnels' || fail "it does not drain"
  kill -HUP "$pid"
  kill -USR1 "$pid"
  wait_for log_has drain 'status: pid' || fail "it does not answer while it drains"
  [ "$(outcomes drain)" -eq 0 ] || fail "a reload while draining"
  ask_load check
  stop_load 8 0
  expect_end "$pid" 0 "$daemon: after the drain"
  ok "$daemon: a HUP while draining is harmless"
}

# With a relative path, and / as its folder.
relative() {
  mkdir "$work/sub"
  config relative ''
  sed "s,$work/ctl,$work/sub/ctl," "$work/relative.conf" >"$work/sub/a.conf"
  case $daemon in
  dcsd) program=$DCSD ;;
  *) program=$PPPD_SOCKS ;;
  esac
  # shellcheck disable=SC2016 # the inner shell expands
  expect_run 0 "in the background" sh -c 'cd "$1/sub" && shift && exec "$@"' sh \
    "$work" "$program" -c a.conf -p "$work/sub/pid"
  pid=$(cat "$work/sub/pid")
  own "$pid"
  [ "$(readlink "/proc/$pid/cwd")" = / ] || fail "its folder is not /"
  expect_run 0 "reload by a relative path" "$TUNNELCTL" -s "$work/sub/ctl" reload
  kill "$pid"
  wait_for gone "$pid" || fail "it does not end"
  forget "$pid"
  rm -r "$work/sub"
  ok "$daemon: a relative path of the file is good for a reload"
}

# test_one DAEMON HOW OTHER: with other keys that may come and go.
test_one() {
  daemon=$1 how=$2 other=$3
  start_load
  start_one main
  main=$pid
  mark "$main"
  ask_load "dial $how $at"
  ask_load "hold $how $at"
  many_reloads
  ask_load check
  ok "$daemon: $reloads reloads under load"
  small_things
  leaving
  stop_load 16 0
  expect_baseline "$main"
  stop "$main"
  ok "$daemon: fds and threads as before"
  draining
  relative
}

test_one dcsd socks \
  'rules = ( { name = "all"; action = "allow"; targets = "127.0.0.0/8"; } );'

printf 'listen = "127.0.0.1:0";\n' >"$work/dcsd.conf"
start dcsd "$DCSD" -c "$work/dcsd.conf" -p "$work/dcsd.pid"
dcsd=$pid
upstream=$(port dcsd 1)
test_one pppd-socks plain 'limits: { tunnels = 500; };'
stop "$dcsd"
expect_no_report
