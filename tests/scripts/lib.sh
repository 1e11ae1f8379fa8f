# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# What the script tests share; read by them with `.', never run. A test runs in the top
# build folder, with srcdir, DCSD and PPPD_SOCKS in its environment. It ends with 0
# (passed), 1 (failed) or 77 (skipped, and why is on stdout). Everything that it started
# is ended and everything that it wrote is removed, however it ends.

set -u
LC_ALL=C
export LC_ALL
# The settings of whoever runs this must not lead the clients elsewhere.
unset http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY
unset XDG_CONFIG_HOME CURL_HOME

# shellcheck disable=SC2034 # for the tests
top=$(cd "${srcdir:-.}" && pwd) || exit 1

# The daemons leave the current folder: all paths are absolute.
absolute() {
  case $1 in
  /*) printf '%s\n' "$1" ;;
  *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}
DCSD=$(absolute "${DCSD:-./dcsd}")
PPPD_SOCKS=$(absolute "${PPPD_SOCKS:-./pppd-socks}")

# The longest that anything may take that works; only a failure waits for so long.
patience_s=30

work=$(mktemp -d "${TMPDIR:-/tmp}/script-test.XXXXXX") || exit 1
chmod 755 "$work" # a daemon that is nobody looks in here
HOME=$work
SCRIPT_TEST=$work # marks what is started from here
export HOME SCRIPT_TEST
own_pids=

# Daemons that should not have started, and so were never owned: they have our mark in
# their environment, or the name of our folder among their arguments.
stray() {
  for each in /proc/[0-9]*; do
    [ "${each#/proc/}" -ne $$ ] || continue
    if grep -qsF "$work" "$each/environ" "$each/cmdline"; then
      printf '%s\n' "${each#/proc/}"
    fi
  done
}

cleanup() {
  status=$?
  trap - EXIT
  trap '' HUP INT PIPE TERM
  for each in $own_pids $(stray); do
    kill -9 "$each" 2>/dev/null
  done
  wait 2>/dev/null
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 1' HUP INT PIPE TERM

# own PID: it is ended at the end. forget PID: it is gone already, its number may be
# another's by now.
own() {
  own_pids="$own_pids $1"
}
forget() {
  kept=
  for each in $own_pids; do
    [ "$each" = "$1" ] || kept="$kept $each"
  done
  own_pids=$kept
}

ok() {
  printf 'ok: %s\n' "$*"
}

fail() {
  printf 'FAILED: %s\n' "$*"
  for log in "$work"/*.log "$work"/out "$work"/err; do
    if [ -s "$log" ]; then
      printf -- '--- %s\n' "${log##*/}"
      tail -n 100 "$log"
    fi
  done
  exit 1
}

# The whole test cannot run here; or only a part of it.
skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}
skip_part() {
  printf 'SKIPPED in part: %s\n' "$*"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

is_root() {
  [ "$(id -u)" -eq 0 ]
}

# Some time less than a second, where sleep(1) knows that.
nap() {
  sleep 0.05 2>/dev/null || sleep 1
}

# wait_for COMMAND...: until it succeeds. Returns 1 when patience ends.
wait_for() {
  wait_until=$(($(date +%s) + patience_s))
  until "$@"; do
    [ "$(date +%s)" -lt "$wait_until" ] || return 1
    nap
  done
}

# A process that has ended but was not waited for yet is gone as well.
gone() {
  ! kill -0 "$1" 2>/dev/null ||
    grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# run COMMAND...: with its output in $work/out and $work/err. Returns its status, or 124
# when patience ended: then it was killed.
run() {
  "$@" >"$work/out" 2>"$work/err" </dev/null &
  run_pid=$!
  own "$run_pid"
  if ! wait_for gone "$run_pid"; then
    kill -9 "$run_pid"
    wait "$run_pid" 2>/dev/null
    forget "$run_pid"
    return 124
  fi
  wait "$run_pid"
  run_status=$?
  forget "$run_pid"
  return "$run_status"
}

# expect_run STATUS WHAT COMMAND...
expect_run() {
  expected=$1
  what=$2
  shift 2
  run "$@"
  run_status=$?
  [ "$run_status" -eq "$expected" ] ||
    fail "$what: exit status $run_status instead of $expected"
}

# expect_text FILE TEXT WHAT: a piece of a line of $work/FILE.
expect_text() {
  grep -qF -- "$2" "$work/$1" || fail "$3: there is no '$2' in $1"
}

# log_count NAME TEXT: how many lines have it.
log_count() {
  grep -cF -- "$2" "$work/$1.log"
}
log_has() {
  grep -qF -- "$2" "$work/$1.log"
}

# started NAME PID: whether it is ready, or gone, so that there is nothing to wait for.
started() {
  grep -q ' ready$' "$work/$1.log" || gone "$2"
}

# start NAME PROGRAM ARGUMENT...: in the foreground; $pid is its process, and its log is
# in $work/NAME.log. Comes back when it is ready.
start() {
  name=$1
  shift
  : >"$work/$name.log"
  "$@" -f >"$work/$name.out" 2>"$work/$name.log" </dev/null &
  pid=$!
  own "$pid"
  wait_for started "$name" "$pid"
  grep -q ' ready$' "$work/$name.log" || fail "$name did not start"
}

# expect_end PID STATUS WHAT
expect_end() {
  wait_for gone "$1" || fail "$3: it does not end"
  wait "$1"
  end_status=$?
  forget "$1"
  [ "$end_status" -eq "$2" ] || fail "$3: exit status $end_status instead of $2"
}

# stop PID: by SIGTERM; it must end well.
stop() {
  kill "$1" || fail "process $1 is gone already"
  expect_end "$1" 0 "after SIGTERM"
}

# port NAME N: the port of the n-th `listening on' line of the log.
port() {
  sed -n 's/.*: listening on \([^ ]*\).*/\1/p' "$work/$1.log" | sed -n "$2s/.*://p"
}

# ports_of PID: the TCP ports it listens at over IPv4, one a line, from /proc.
ports_of() {
  for fd in "/proc/$1/fd"/*; do
    readlink "$fd"
  done 2>/dev/null | sed -n 's/^socket:\[\(.*\)\]$/\1/p' >"$work/inodes"
  awk 'NR == FNR { mine[$1] = 1; next }
    $4 == "0A" && ($10 in mine) { split($2, at, ":"); print at[2] }' \
    "$work/inodes" /proc/net/tcp |
    while read -r hex; do
      printf '%d\n' "0x$hex"
    done
}

# greet PORT: whether a SOCKS5 server answers there.
greet() {
  perl -MIO::Socket::INET -e '
    alarm shift;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift) or exit 1;
    syswrite($s, "\5\1\0");
    my $n = sysread($s, my $reply, 2);
    exit !(defined $n && $reply eq "\5\0");' "$patience_s" "$1"
}

# hold NAME PORT N BYTES: opens n connections, sends each the bytes (as perl writes them)
# and keeps them open; $pid is who does. Comes back when all are open.
hold() {
  name=$1
  : >"$work/$name.log"
  perl -MIO::Socket::INET -e '
    my ($port, $n, $bytes) = @ARGV;
    my @all;
    $bytes =~ s/\\([0-7]+)/chr(oct($1))/ge;
    for (1 .. $n) {
      my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port);
      $s || $!{ECONNRESET} or die; # a reset may come before connect(2) returns
      syswrite($s, $bytes) if $s;
      push @all, $s;
    }
    $| = 1;
    print "all open\n";
    sleep 600;' "$2" "$3" "$4" >"$work/$name.log" 2>&1 </dev/null &
  pid=$!
  own "$pid"
  wait_for log_has "$name" 'all open' || fail "$name: cannot connect"
}

# start_target: an HTTP server, the one that the demo uses; $target is its port.
start_target() {
  : >"$work/target.log"
  perl "$top/contrib/httpd" 127.0.0.1:0 >"$work/target.log" 2>&1 </dev/null &
  own $!
  wait_for log_has target 'listening on' || fail "the target did not start"
  # shellcheck disable=SC2034 # for the tests
  target=$(port target 1)
}

# collect_reports: of sanitizers, which would be lost where a daemon has no stderr.
# expect_no_report: at the end.
collect_reports() {
  reports=$work/reports
  mkdir "$reports"
  chmod 1777 "$reports"
  ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$reports/asan"
  TSAN_OPTIONS="${TSAN_OPTIONS:-}:log_path=$reports/tsan"
  UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$reports/ubsan"
  export ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS
}
expect_no_report() {
  for report in "$reports"/*; do
    [ ! -s "$report" ] || fail "a sanitizer reports: $(head -n 60 "$report")"
  done
}

# start_load: the clients of tests/system/load; $echo is the port of their target.
start_load() {
  LOAD=$(absolute "${LOAD:-./tests/system/load}")
  [ -x "$LOAD" ] || skip "there is no $LOAD"
  mkfifo "$work/load.in" || fail "mkfifo"
  "$LOAD" <"$work/load.in" >"$work/load.log" 2>&1 &
  load=$!
  own "$load"
  exec 9>"$work/load.in"
  wait_for log_has load 'load: echo' || fail "the load did not start"
  # shellcheck disable=SC2034 # for the tests
  echo=$(sed -n 's/^load: echo //p' "$work/load.log")
}

# ask_load LINE: has the load do what it says there; comes back when it is done.
load_done() {
  [ "$(log_count load 'load: done')" -gt "$load_before" ] || gone "$load"
}
ask_load() {
  load_before=$(log_count load 'load: done')
  printf '%s\n' "$1" >&9
  wait_for load_done || fail "load: $1: not done"
  gone "$load" && fail "load: $1: it ended"
}

# stop_load HELD BROKEN: ends it: no connection may have failed, and so many held tunnels
# are broken.
stop_load() {
  printf 'stop\n' >&9
  exec 9>&-
  expect_end "$load" 0 "load"
  rm "$work/load.in"
  grep -Eq '^load: [0-9]+ connections, 0 failed$' "$work/load.log" ||
    fail "the load has failed: $(tail -n 2 "$work/load.log")"
  grep -Eq "^load: $1 held, $2 broken" "$work/load.log" ||
    fail "$1 held tunnels, $2 broken, expected: $(tail -n 1 "$work/load.log")"
}
