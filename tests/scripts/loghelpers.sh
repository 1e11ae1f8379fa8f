#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What contrib has for the log: the rules of rsyslog and logrotate do their work, and the
# patterns of logcheck pass over what is well and over nothing else.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

contrib=$top/contrib
names='dcsd pppd-socks'
at='Nov 24 14:00:00 host'

# ignored NAME FILE: the lines of it that logcheck would not show.
ignored() {
  grep -v -e '^#' -e '^$' "$contrib/logcheck/$1" >"$work/patterns"
  grep -E -f "$work/patterns" "$work/$2"
}

# sift NAME: what is in $work/good is ignored and what is in $work/bad is not, in each
# form that a line may have; and no pattern is there for nothing.
sift() {
  for form in "$at $1[12]: " "$at $1[12]: $1[13]: " \
    "2026-11-24T14:00:00.123456+01:00 host $1[12]: " \
    "2026-11-24T14:00:00.123+01:00 $1[12]: "; do
    for kind in good bad; do
      sed "s/^/$form/" "$work/$kind" >"$work/$kind.lines"
      ignored "$1" "$kind.lines" >"$work/$kind.ignored"
    done
    diff "$work/good.lines" "$work/good.ignored" >"$work/diff.log" ||
      fail "logcheck: good lines of $1 are shown"
    [ ! -s "$work/bad.ignored" ] ||
      fail "logcheck: bad lines of $1 are ignored: $(cat "$work/bad.ignored")"
  done
  while read -r pattern; do
    grep -Eq -e "$pattern" "$work/good.lines" || fail "logcheck: not tested: $pattern"
  done <"$work/patterns"
  : >"$work/diff.log"
  ok "logcheck: $1: what is well is ignored, and all else is shown"
}

# The lines of both daemons, as their pages have them.
both_good() {
  cat <<END
$1 0.1.0 ready
$1 ends
listening on 127.0.0.1:1081
listening on [::1]:1081
no longer listening on [::1]:1081
draining 3 tunnels for at most 30 s
3 tunnels cut
signal 12: nothing to do
room for 9900 tunnels, bound by ulimit -n (20000)
tunnel 5f1c-42 is killed by an administrator
log level debug, set by an administrator
log: from here on in /var/log/$1.log
status: pid 12
status: listener 127.0.0.1:1081 route web
reload: checking /etc/$1.conf
reload: done, 2 routes are new
upgrade: pid 99 takes over
END
}
both_bad() {
  cat <<END
client turned away: limits.tunnels is reached
client turned away: Cannot allocate memory (and 4 times since last told)
client 192.0.2.1:5555 turned away: limits.per_client is reached
client turned away, no thread for it: Resource temporarily unavailable
accept: Too many open files
limits.tunnels = 9, but there is room for 2 only: ulimit -n (200) must be 218
there is no room for a tunnel: ulimit -n (20) must be 202
log: 12 messages lost
log: /var/log/$1.log: Permission denied: not opened again, the old file goes on
/run/$1.pid: already running (pid 12)
127.0.0.1:1081: Address already in use
listening on 127.0.0.1:1081 again: Address already in use
user nobody: no such user
thread: Resource temporarily unavailable
reload: /etc/$1.conf:3: unknown key 'nonsense'
reload: $1.conf: Permission denied
upgrade: /usr/sbin/$1: No such file or directory
something new
something listening on 127.0.0.1:1081
END
}

dcsd_tunnel='id=5f1c-42 client=127.0.0.1:51234 user=- rule=- cmd=connect'
dcsd_tunnel="$dcsd_tunnel target=example.com:80 addr=192.0.2.80:80 up=512 down=10240"
dcsd_tunnel="tunnel $dcsd_tunnel dns=0.003 dial=0.012 time=3.201"
both_good dcsd >"$work/good"
cat >>"$work/good" <<END
/etc/dcsd.users: read again, 7 users
tunnel id=5f1c-42 client=[::1]:51234 start
$dcsd_tunnel end=client-eof
$dcsd_tunnel end=target-reset
$dcsd_tunnel end=idle dgrams_up=4 dgrams_down=0 drop_source=1
$dcsd_tunnel end=drained
END
both_bad dcsd >"$work/bad"
cat >>"$work/bad" <<END
/etc/dcsd.users:3: no such hash; the users stay as they were
auth-failed client=192.0.2.1:5555 user=ann reason="wrong password"
auth-refused source=192.0.2.1 failures=5 time=1.000
$dcsd_tunnel end=denied rep=2 error="no rule matches"
$dcsd_tunnel end=connect-failed rep=5 error="connection refused"
$dcsd_tunnel end=auth-failed
$dcsd_tunnel end=limit
$dcsd_tunnel end=bad-request rep=- error="not SOCKS5: looks like HTTP"
health upstream=dcs1 state=well
END
sift dcsd

ppp_tunnel='tunnel id=5f1c-42 client=10.9.8.7:40000 route=db target=10.0.0.1:5432'
ppp_tunnel="$ppp_tunnel upstream=dcs1 up=512 down=10240 dial=0.015 time=3.204"
target='route=db target=10.0.0.1:5432 upstream=dcs1'
both_good pppd-socks >"$work/good"
cat >>"$work/good" <<END
listening on 127.0.0.1:8887 for route 8887
listening on 127.0.0.1:5300 for datagrams of route dns
health upstream=dcs1 state=well
health $target state=well
route db takes clients again
tunnel id=5f1c-42 client=10.9.8.7:40000 route=db start
$ppp_tunnel end=target-eof
$ppp_tunnel end=idle dgrams_up=1 dgrams_down=1
END
both_bad pppd-socks >"$work/bad"
cat >>"$work/bad" <<END
listening on 127.0.0.1:8887 for route db again: Address already in use
127.0.0.1:8887 for route db: Address already in use
127.0.0.1:5300 for datagrams of route dns: Address already in use
health upstream=dcs1 state=sick hold_off=0.914 error="Connection refused"
health $target state=sick hold_off=0.862 error="connection refused"
route db refuses clients: no target is well
upstream dcs1: does not take a pipelined handshake, and gets the standard one from now on
datagram of client 192.0.2.1:5 dropped, route dns: its limit is reached
$ppp_tunnel end=connect-failed rep=- error="Connection refused"
$ppp_tunnel end=denied
END
sift pppd-socks

# All that a dcsd says in a life without trouble.
quiet_life() {
  has curl || {
    skip_part "the log of the real dcsd: no curl"
    return
  }
  start_target
  echo 'listen = "127.0.0.1:0";' >"$work/quiet.conf"
  start quiet "$DCSD" -c "$work/quiet.conf"
  expect_run 0 "request" curl -s --socks5 "127.0.0.1:$(port quiet 1)" \
    "http://127.0.0.1:$target/"
  kill -USR1 "$pid"
  wait_for log_has quiet 'status: pid' || fail "no status in the log"
  stop "$pid"
  wait_for log_has quiet 'tunnel ' || fail "no tunnel in the log"
  sed "s/^/$at /" "$work/quiet.log" >"$work/quiet.lines"
  ignored dcsd quiet.lines >"$work/quiet.ignored"
  diff "$work/quiet.lines" "$work/quiet.ignored" >"$work/diff.log" ||
    fail "logcheck: lines of a life without trouble are shown"
  ok "logcheck: a life without trouble is not shown"
}

# fitted NAME: the rules of logrotate, with folders and a user that are here, as the file
# $work/NAME.rotate. The second part is for files in a folder of the daemon's user.
fitted() {
  sed -e "s,/var/log/,$work/log/," -e "s,/run/$1.pid,$work/$1.pid," \
    -e "s,/usr/lib/rsyslog/rsyslog-rotate.*,touch $work/told," \
    -e "s,su $1 $1,su nobody $group," -e "s,-U $1,-F $work/own.pid," \
    -e 's,weekly,size 1,' "$contrib/logrotate/$1" >"$work/$1.rotate"
}

rotate() {
  expect_run 0 "logrotate" logrotate -s "$work/rotate.state" "$work/dcsd.rotate"
}

# logging_to FILE: a dcsd, as $pid, whose log goes there.
logging_to() {
  cat >"$work/file.conf" <<END
listen = "127.0.0.1:0";
user = "nobody";
log: { file = "$1"; };
END
  expect_run 0 "start with log.file" "$DCSD" -c "$work/file.conf" -p "$2"
  pid=$(cat "$2")
  own "$pid"
}

# opened_again FILE: the daemon wrote into the old file, and now does into the new one.
opened_again() {
  grep -q ' ready$' "$1.1" || fail "$1: the old file has not the old lines"
  [ -e "$1" ] || fail "$1: there is no new file"
  wait_for held "$1" || fail "$1: the daemon does not write there"
  kill "$pid"
  wait_for gone "$pid" || fail "it does not end"
  forget "$pid"
  grep -q ' dcsd ends$' "$1" || fail "$1: the new file has not the new lines"
}
held() {
  for fd in "/proc/$pid/fd"/*; do
    readlink "$fd"
  done | grep -qxF "$1"
}

rotation() {
  { is_root && has logrotate && has pkill; } || {
    skip_part "rotation: not root, or no logrotate or pkill"
    return
  }
  group=$(id -gn nobody 2>/dev/null) || {
    skip_part "rotation: no user nobody"
    return
  }
  for name in $names; do
    fitted "$name"
    expect_run 0 "logrotate -d" logrotate -d -s "$work/rotate.state" "$work/$name.rotate"
  done
  mkdir "$work/log" "$work/log/dcsd"
  logging_to "$work/log/dcsd.log" "$work/dcsd.pid"
  rotate
  [ -e "$work/told" ] || fail "rsyslog was not told"
  opened_again "$work/log/dcsd.log"
  ok "logrotate: of log.file in the folder of all logs"
  chown nobody "$work/log/dcsd"
  logging_to "$work/log/dcsd/dcsd.log" "$work/own.pid"
  rotate
  [ "$(stat -c %U "$work/log/dcsd/dcsd.log.1")" = nobody ] ||
    fail "whose is the old file?"
  opened_again "$work/log/dcsd/dcsd.log"
  ok "logrotate: of log.file in a folder of the daemon"
}

# What rsyslog gets, on a socket of its own, goes to the right file and to no other.
syslog_files() {
  { has rsyslogd && has logger; } || {
    skip_part "rsyslog: no rsyslogd or logger"
    return
  }
  if grep -qs rsyslogd /sys/kernel/security/apparmor/profiles; then
    skip_part "rsyslog: AppArmor keeps it from files of a test"
    return
  fi
  {
    echo 'module(load="imuxsock" SysSock.Use="off")'
    echo "input(type=\"imuxsock\" Socket=\"$work/syslog.socket\")"
    for name in $names; do
      sed "s,/var/log/,$work/syslog/," "$contrib/rsyslog/$name.conf"
    done
    echo "action(type=\"omfile\" file=\"$work/syslog/all\")"
  } >"$work/rsyslog.conf"
  mkdir "$work/syslog"
  rsyslogd -n -i NONE -f "$work/rsyslog.conf" >"$work/rsyslogd.log" 2>&1 </dev/null &
  pid=$!
  own "$pid"
  wait_for test -S "$work/syslog.socket" || fail "rsyslogd does not start"
  for name in $names other; do
    logger -u "$work/syslog.socket" -t "$name" "from $name" || fail "logger"
  done
  wait_for grep -qs 'from other' "$work/syslog/all" || fail "rsyslogd does not log"
  stop "$pid"
  for name in $names; do
    [ "$(wc -l <"$work/syslog/$name.log")" -eq 1 ] || fail "$name.log: not one line"
    grep -q "from $name\$" "$work/syslog/$name.log" || fail "$name.log: a wrong line"
  done
  [ "$(grep -c 'from [dp]' "$work/syslog/all")" -eq 0 ] || fail "it is elsewhere, too"
  ok "rsyslog: a file for each daemon, and nothing of them elsewhere"
}

quiet_life
rotation
syslog_files
