#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The key log.file of both daemons: what is in the file, who may open it, and what becomes
# of it when it is renamed, as by logrotate(8), or deleted.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the client here"
[ -r /proc/net/tcp ] || skip "no /proc/net/tcp, which tells the ports here"

# configure KEY...: with those keys more.
configure() {
  if [ "$daemon" = dcsd ]; then
    printf 'listen = "127.0.0.1:0";\n' >"$work/conf"
  else
    printf 'upstreams = ( { address = "127.0.0.1:9"; } );
routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:9"; } );\n' >"$work/conf"
  fi
  printf 'log: { file = "%s"; };\n%s\n' "$log" "$*" >>"$work/conf"
}

# start_daemon: in the background; $pid and $port are its own.
start_daemon() {
  expect_run 0 "$daemon" "$program" -c "$work/conf" -p "$work/pid"
  pid=$(cat "$work/pid")
  own "$pid"
  port=$(ports_of "$pid")
}

stop_daemon() {
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: it does not end"
  forget "$pid"
}

# One tunnel, which is refused, and so one line.
tunnel() {
  perl -MIO::Socket::INET -e '
    my ($daemon, $port) = @ARGV;
    alarm 60;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or exit 0;
    syswrite($s, "\5\1\0\5\1\0\1\177\0\0\1\0\11") if $daemon eq "dcsd";
    1 while sysread($s, my $answer, 100);' "$daemon" "$port"
}

# shellcheck disable=SC2317 # by wait_for
tunnel_is_in_log() {
  tunnel
  grep -qs ': tunnel id=' "$log"
}

# in_log FILE N: whether it has so many tunnels.
in_log() {
  [ "$(grep -sc ': tunnel id=' "$1")" = "$2" ]
}

lines_are_dated() {
  configure
  start_daemon
  tunnel
  wait_for in_log "$log" 1 || fail "$daemon: a tunnel is not in the file"
  stop_daemon
  tag=" $daemon\[$pid\]: "
  date='^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]'
  date=$date'\.[0-9][0-9][0-9][+-][0-2][0-9]:[0-5][0-9]'
  [ "$(grep -vc "$date$tag" "$log")" -eq 0 ] || fail "$daemon: a line has no date or tag"
  for line in 'listening on 127.0.0.1:' "$daemon .* ready\$" "$daemon ends\$"; do
    grep -q "$date$tag$line" "$log" || fail "$daemon: the file has no '$line'"
  done
  case $(ls -l "$log") in
  -rw-r-----*) ;;
  *) fail "$daemon: the file is not for owner and group alone" ;;
  esac
  before=$(wc -l <"$log")
  start_daemon
  stop_daemon
  [ "$(wc -l <"$log")" -gt "$before" ] || fail "$daemon: the old lines are lost"
  ok "$daemon: lines have a date, and are appended"
}

file_is_used_with_f() {
  configure
  : >"$work/f.log"
  "$program" -f -c "$work/conf" 2>"$work/f.log" </dev/null &
  pid=$!
  own "$pid"
  wait_for grep -qs " $daemon .* ready\$" "$log" ||
    fail "$daemon -f: the file has no line"
  stop "$pid"
  [ "$(cat "$work/f.log")" = "${daemon}[$pid]: log: from here on in $log" ] ||
    fail "$daemon -f: more, or less, than where the log is"
  ok "$daemon: with -f the file is used, and stderr tells where it is"
}

# What fails before it is ready is told on both.
failure_is_told_twice() {
  configure "pidfile = \"$work/no/pid\";"
  expect_run 1 "pidfile in no folder" "$program" -c "$work/conf"
  expect_text err "$daemon: $work/no/pid: No such file" "a start that fails"
  grep -q " $daemon\[[0-9]*\]: $work/no/pid: No such file" "$log" ||
    fail "$daemon: a start that fails is not in the file"
  ok "$daemon: a start that fails is told in the file as well"
}

bad_file_is_refused() {
  configure
  mkfifo "$log"
  expect_run 1 "$daemon and a FIFO" "$program" -c "$work/conf" -p "$work/pid"
  expect_text err "$daemon: $log: not a plain file" "FIFO"
  rm "$log"
  ln -s "$work/elsewhere" "$log"
  expect_run 1 "$daemon and a link" "$program" -c "$work/conf" -p "$work/pid"
  expect_text err "$daemon: $log: not a plain file" "link"
  [ -e "$work/elsewhere" ] && fail "$daemon: it made a file through a link"
  rm "$log"
  mkdir "$log"
  expect_run 1 "$daemon and a folder" "$program" -f -c "$work/conf"
  expect_text err "$daemon: $log: not a plain file" "folder"
  rmdir "$log"
  log=$work/no/t.log
  configure
  expect_run 1 "$daemon and no folder" "$program" -c "$work/conf" -p "$work/pid"
  expect_text err "$daemon: $log: No such file or directory" "no folder"
  [ -e "$work/pid" ] && fail "$daemon: a pidfile is left"
  printf 'log: { file = "relative"; };\n' >"$work/conf"
  expect_run 78 "a relative path" "$program" -t -c "$work/conf"
  expect_text err "$daemon: $work/conf:1: 'file': not an absolute path" "relative path"
  ok "$daemon: what is no plain file is refused"
}

# The file is renamed, and then HUP: as root, and as the daemon's user in root's folder,
# for which logrotate's "create" makes the file, and that from a chroot.
file_is_reopened() {
  for who in root nobody jail; do
    case $who in
    root) configure ;;
    nobody) configure 'user = "65534"; group = "65534";' ;;
    *) configure 'user = "65534"; group = "65534";' "chroot = \"$work/jail\";" ;;
    esac
    if [ "$who" != root ] && ! is_root; then
      skip_part "the file of a daemon that drops root: not root"
      return
    fi
    mkdir -p "$work/jail"
    rm -f "$log" "$log.1"
    start_daemon
    tunnel
    wait_for in_log "$log" 1 || fail "$daemon, $who: a tunnel is not in the file"
    mv "$log" "$log.1"
    tunnel
    wait_for in_log "$log.1" 2 || fail "$daemon, $who: the renamed file gets nothing"
    : >"$log"
    [ "$who" = root ] || chown 65534 "$log"
    kill -HUP "$pid"
    # How far it is with the signal cannot be seen from outside, but by its lines.
    wait_for tunnel_is_in_log || fail "$daemon, $who: HUP does not open the file again"
    [ "$(grep -c 'log: ' "$log.1")" -eq 0 ] || fail "$daemon, $who: an error is told"
    # Nothing that the user could open: the old file goes on, and it is told.
    mv "$log" "$log.2"
    mkdir "$log"
    kill -HUP "$pid"
    wait_for grep -q "log: $log: not a plain file: not opened again" "$log.2" ||
      fail "$daemon, $who: a reopening that fails is not told"
    rmdir "$log"
    stop_daemon
    grep -q "$daemon ends\$" "$log.2" || fail "$daemon, $who: the old file does not go on"
  done
  ok "$daemon: HUP opens the file again, without root and in a chroot too"
}

deleted_file_is_made_again() {
  configure
  start_daemon
  rm "$log"
  tunnel
  wait_for in_log "$log" 1 || fail "$daemon: a line went to a deleted file"
  stop_daemon
  ok "$daemon: a file that is deleted is made again"
}

for daemon in dcsd pppd-socks; do
  case $daemon in
  dcsd) program=$DCSD ;;
  *) program=$PPPD_SOCKS ;;
  esac
  for check in lines_are_dated file_is_used_with_f failure_is_told_twice \
    bad_file_is_refused file_is_reopened deleted_file_is_made_again; do
    log=$work/$daemon-$check
    "$check"
  done
done
