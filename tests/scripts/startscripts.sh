#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The start scripts of contrib: those of init.d are run, with the daemons that were built,
# from a folder of their own; the units of systemd and the scripts of the BSDs are looked
# at by what there is here to read them.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

[ -r /proc/self/stat ] || skip "no /proc, which tells who runs here"
has perl || skip "no perl, which is the client here"
TUNNELCTL=$(absolute "${TUNNELCTL:-./tunnelctl}")
contrib=$top/contrib
# What the LSB says.
OK=0 FAILED=1 USAGE=2 DENIED=4 NOT_INSTALLED=5 NOT_CONFIGURED=6 NOT_RUNNING=7
DEAD=1 STOPPED=3

# The programs by their names, and the folders that the scripts use.
mkdir "$work/sbin" "$work/none" "$work/default" "$work/run"
cp "$DCSD" "$work/sbin/dcsd"
cp "$PPPD_SOCKS" "$work/sbin/pppd-socks"
configs='
dcsd        listen = "127.0.0.1:0";
pppd-socks  routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:1"; } );'

# configure NAME MORE...: its configuration, and the lines of /etc/default.
configure() {
  service=$1
  shift
  conf=$work/$service.conf
  {
    printf '%s\n' "$configs" | sed -n "s/^$service *//p"
    echo "control = \"$work/run/$service/$service.ctl\"; timeouts: { drain = 600; };"
  } >"$conf"
  printf '%s\n' "DAEMON_ARGS='-c $conf'" "$@" >"$work/default/$service"
  sed -e "s,^PATH=.*,PATH=$work/sbin:$PATH," -e "s,/etc/default/,$work/default/,g" \
    -e "s,/lib/lsb/,$work/none/,g" -e "s,/run/,$work/run/," \
    "$contrib/init.d/$service" >"$work/$service.init"
  pidfile=$work/run/$service.pid
}

# act STATUS ACTION WHAT: one action of the script of $service.
act() {
  expect_run "$1" "$service: $3" sh "$work/$service.init" "$2"
}

# running WHAT: sets $pid.
running() {
  act $OK status "$1"
  pid=$(cat "$pidfile")
  [ "$(cat "/proc/$pid/comm")" = "$service" ] || fail "$service: $1: pid $pid is another"
  port=$(ports_of "$pid")
  [ -n "$port" ] || fail "$service: $1: it does not listen"
}

# still WHAT: it is running, and is the process that it was.
still() {
  before=$pid
  running "$1"
  [ "$pid" = "$before" ] || fail "$service: $1: it is another process"
}

life() {
  configure "$1" NOFILE=4000
  act $USAGE nonsense "no such action"
  act $STOPPED status "before the start"
  act $OK stop "nothing to stop"
  act $OK start "start"
  running "start"
  grep -q '^Max open files *4000 *4000 ' "/proc/$pid/limits" ||
    fail "$service: NOFILE is not its limit"
  expect_run 0 "$service: control socket" \
    "$TUNNELCTL" -s "$work/run/$service/$service.ctl" status
  act $OK start "second start"
  still "second start"
  act $OK reload "reload"
  still "reload"
  act $OK restart "restart"
  ! grep -qs . "/proc/$pid/cmdline" || fail "$service: restart: the old one is there"
  running "restart"
  act $OK try-restart "try-restart"
  running "try-restart"
  act $OK stop "stop"
  gone "$pid" || fail "$service: stop comes back too early"
  act $STOPPED status "after stop"
  act $NOT_RUNNING reload "nothing to reload"
  act $OK try-restart "nothing to restart"
  act $STOPPED status "after try-restart"
  ok "$service: start, reload, restart and stop, each twice"
}

broken() {
  configure "$1"
  act $OK start "start"
  running "start"
  printf 'nonsense = 1;\n' >>"$conf"
  for action in reload force-reload restart try-restart; do
    act $NOT_CONFIGURED "$action" "$action with a broken configuration"
    expect_text err "$conf:3: " "$action with a broken configuration"
    still "$action with a broken configuration"
  done
  act $OK stop "stop with a broken configuration"
  act $NOT_CONFIGURED start "start with a broken configuration"
  act $STOPPED status "start with a broken configuration"
  ok "$service: a broken configuration ends no daemon that runs, and starts none"
}

absent() {
  if has "$1"; then
    skip_part "$1 not installed: it is, on this machine"
    return
  fi
  configure "$1"
  act $OK start "start"
  running "start"
  sed -i "s,^PATH=[^:]*,PATH=$work/none," "$work/$service.init"
  for action in reload restart; do
    act $NOT_INSTALLED "$action" "$action without the program"
    still "$action without the program"
  done
  act $OK stop "stop without the program"
  act $NOT_INSTALLED start "start without the program"
  act $STOPPED status "status without the program"
  ok "$service: without the program it can be stopped, and nothing else"
}

# Whose the number in a pidfile is does not count: it may be an innocent's by now.
stale() {
  configure "$1"
  sleep 600 &
  innocent=$!
  own "$innocent"
  for left in "$innocent" 99999999 nonsense self ../self; do
    echo "$left" >"$pidfile"
    act $DEAD status "pidfile with $left"
    act $OK stop "pidfile with $left"
    act $NOT_RUNNING reload "pidfile with $left"
    act $OK start "pidfile with $left"
    running "pidfile with $left"
    act $OK stop "stop"
  done
  : >"$pidfile"
  act $STOPPED status "empty pidfile"
  gone "$innocent" && fail "$service: a process that is not the daemon was ended"
  ok "$service: a pidfile that was left does no harm"
}

# Of a daemon that does not start, the reason is told.
port_taken() {
  configure dcsd
  act $OK start "start"
  running "start"
  cp "$pidfile" "$work/first"
  rm "$pidfile"
  sed -i "s/127.0.0.1:0/127.0.0.1:$port/" "$conf"
  act $FAILED start "its port is taken"
  expect_text err "Address already in use" "its port is taken"
  cp "$work/first" "$pidfile"
  still "its port is taken"
  act $OK stop "stop"
  ok "why it does not start stands on the terminal"
}

# A connection that is there holds TERM up, and a daemon that stands still QUIT as well.
stubborn() {
  configure dcsd STOP_SECONDS=1
  act $OK start "start"
  running "start"
  daemon=$pid
  hold client "$port" 1 '\5\1\0'
  act $OK stop "stop with a connection"
  gone "$daemon" || fail "it is there yet"
  act $OK start "start"
  running "start"
  kill -STOP "$pid"
  act $OK stop "stop of a process that stands still"
  gone "$pid" || fail "it stands still"
  ok "a daemon that does not end is ended"
}

another_user() {
  is_root || {
    skip_part "DAEMON_USER: not root"
    return
  }
  configure dcsd DAEMON_USER=65534:65534
  act $OK start "start as another user"
  running "start as another user"
  grep -q '^Uid:[[:space:]]*65534[[:space:]]' "/proc/$pid/status" ||
    fail "it is not the user of DAEMON_USER"
  has setpriv || skip_part "without permission: no setpriv"
  if has setpriv; then
    for action in stop reload; do
      expect_run $DENIED "$action by another" setpriv --reuid=65533 --regid=65533 \
        --clear-groups sh "$work/dcsd.init" "$action"
    done
  fi
  still "after another's stop"
  act $OK stop "stop of another user's"
  [ -z "$(ls -A "$work/run/dcsd")" ] || fail "the control socket was left"
  expect_run $DENIED "start by another" setpriv --reuid=65533 --regid=65533 \
    --clear-groups sh "$work/dcsd.init" start
  ok "DAEMON_USER, and those who may not"
}

# What insserv and update-rc.d want to know.
header() {
  sed -n '/^### BEGIN INIT INFO$/,/^### END INIT INFO$/p' "$contrib/init.d/$1" \
    >"$work/header"
  for key in Provides Required-Start Required-Stop Default-Start Default-Stop \
    Short-Description Description; do
    grep -q "^# $key: *[^ ]" "$work/header" || fail "$1: no $key in its header"
  done
  grep -q "^# Provides: *$1\$" "$work/header" || fail "$1: it provides another name"
  [ -x "$contrib/init.d/$1" ] || fail "$1: it cannot be run"
}

for one in dcsd pppd-socks; do
  header "$one"
  sed '1,/^NAME=/d' "$contrib/init.d/$one" >"$work/$one.same"
  for shell in sh dash bash "busybox sh"; do
    has "${shell% sh}" || continue
    # shellcheck disable=SC2086 # two words
    $shell -n "$contrib/init.d/$one" || fail "$one: not for $shell"
    $shell -n "$contrib/default/$one" || fail "default/$one: not for $shell"
  done
done
cmp "$work/dcsd.same" "$work/pppd-socks.same" || fail "the two scripts differ"
ok "the headers of the LSB, and two scripts that are one"

for one in dcsd pppd-socks; do
  life "$one"
  broken "$one"
done
absent dcsd
stale dcsd
port_taken
stubborn
another_user

for script in "$contrib"/rc.d/*/*; do
  sh -n "$script" || fail "$script"
  grep -q ' -t$' "$script" || fail "$script does not check the configuration"
  [ -x "$script" ] || fail "$script cannot be run"
done
ok "the scripts of the BSDs are scripts"

# The units, as systemd understands them; of programs it asks only that they be there.
units() {
  has systemd-analyze || {
    skip_part "the units are not checked: no systemd-analyze"
    return
  }
  mkdir "$work/units"
  for unit in "$contrib"/systemd/*.service "$contrib"/systemd/*.socket; do
    sed "s,/usr/sbin/,$work/sbin/," "$unit" >"$work/units/${unit##*/}"
  done
  expect_run 0 "systemd-analyze verify" \
    systemd-analyze verify --man=no "$work"/units/*
  # A unit that is not in order may get no more than a warning.
  [ ! -s "$work/err" ] || fail "systemd-analyze verify complains"
  for unit in "$work"/units/*.service; do
    expect_run 0 "${unit##*/}: exposure of 2.0 at most" \
      systemd-analyze security --offline=yes --no-pager --threshold=20 "$unit"
  done
  ok "the units are right, and give little away"
}

# With the limits of the unit, as far as they can be had without systemd, it works.
few_rights() {
  { is_root && has setpriv; } || {
    skip_part "a daemon with the capabilities of the unit: not root, or no setpriv"
    return
  }
  configure dcsd
  echo 'listen = "127.0.0.1:0";' >"$work/few.conf"
  start few setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
    --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
    --bounding-set=-all,+net_bind_service "$work/sbin/dcsd" -c "$work/few.conf"
  greet "$(port few 1)" || fail "it does not serve"
  grep -q '^CapEff:[[:space:]]*0*400$' "/proc/$pid/status" ||
    fail "the capability to bind ports is lost"
  stop "$pid"
  ok "with the rights of the unit it serves"
}

# As a socket unit does it: the socket is 3, and was opened by another.
activation() {
  grep -q LISTEN_FDS "$DCSD" || {
    skip_part "started by a socket: this dcsd takes none"
    return
  }
  cat >"$work/activate.pl" <<'END'
use strict;
use IO::Socket::INET;
use POSIX ();
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16)
  or die "$!";
my ($conf, @command) = @ARGV;
open my $out, '>', $conf or die "$!";
printf $out "listen = \"127.0.0.1:%d\";\n", $s->sockport;
close $out or die "$!";
POSIX::dup2(fileno($s), 3);
open my $keep, '<&=', 3 or die "$!";
$^F = 3;
fcntl $keep, 2, 0 or die "$!"; # F_SETFD
@ENV{qw(LISTEN_FDS LISTEN_PID)} = (1, $$);
exec @command or die "$!";
END
  start activated perl "$work/activate.pl" "$work/activated.conf" \
    "$DCSD" -c "$work/activated.conf"
  greet "$(sed -n 's/.*:\([0-9]*\)".*/\1/p' "$work/activated.conf")" ||
    fail "it does not serve at the socket that was opened for it"
  stop "$pid"
  ok "it serves at a socket that was opened for it"
}

units
few_rights
activation
