#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What signals do to both daemons. (FAULTS F24, F26, F27, F29.)

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the client here"

# start_one NAME DAEMON KEY...: with those keys more; dcsd serves the pppd-socks.
start_one() {
  name=$1 which=$2
  shift 2
  if [ "$which" = dcsd ]; then
    printf 'listen = "127.0.0.1:0";\npidfile = "%s";\n%s\n' "$work/pid" "$*" \
      >"$work/$name.conf"
    start "$name" "$DCSD" -c "$work/$name.conf"
  else
    printf 'routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:9"; } );
pidfile = "%s";\n%s\n' "$work/pid" "$*" >"$work/$name.conf"
    start "$name" "$PPPD_SOCKS" -c "$work/$name.conf" -s "127.0.0.1:${upstream:-9}"
  fi
  [ "$(cat "$work/pid")" = "$pid" ] || fail "$name: its pidfile does not name it"
}

# quickly COMMAND...: it takes less than the drain time that was set, 600 s, or than
# patience; slack for a busy machine with a sanitizer is in that.
for daemon in dcsd pppd-socks; do
  for signal in TERM INT QUIT; do
    start_one "$daemon-$signal" "$daemon" 'timeouts: { drain = 600; };'
    kill -"$signal" "$pid"
    expect_end "$pid" 0 "$daemon: SIG$signal when idle"
    [ -e "$work/pid" ] && fail "$daemon: after SIG$signal its pidfile stays"
    log_has "$daemon-$signal" "$daemon ends" || fail "$daemon: no last line in the log"
  done
  ok "$daemon: TERM, INT and QUIT end it when idle, with 0, and the pidfile goes"

  start_one "$daemon-alive" "$daemon"
  for signal in HUP USR1 HUP; do
    kill -"$signal" "$pid"
  done
  alive=$(port "$daemon-alive" 1)
  if [ "$daemon" = dcsd ]; then
    greet "$alive" || fail "$daemon: after HUP and USR1 it does not serve"
  else
    hold "$daemon-client" "$alive" 1 ''
    served() { log_has "$daemon-alive" "tunnel id="; }
    wait_for served || fail "$daemon: after HUP and USR1 it does not serve"
  fi
  pid=$(cat "$work/pid")
  kill -PIPE "$pid"
  stop "$pid"
  ok "$daemon: HUP, USR1 and PIPE leave it alive"
done

# A client in the handshake: dcsd waits for no longer than the drain time.
start_one handshake dcsd 'timeouts: { handshake = 600; drain = 1; };'
daemon_pid=$pid
hold half-greeting "$(port handshake 1)" 3 '\5'
client=$pid
begun=$(date +%s)
stop "$daemon_pid"
took=$(($(date +%s) - begun))
[ "$took" -ge 1 ] || fail "handshake: it did not wait for the drain time"
[ -e "$work/pid" ] && fail "handshake: its pidfile stays"
kill -9 "$client"
forget "$client"
ok "dcsd: TERM while clients are in the handshake ends it after the drain time"

for second in TERM INT QUIT; do
  start_one "second-$second" dcsd 'timeouts: { handshake = 600; drain = 600; };'
  daemon_pid=$pid
  hold "client-$second" "$(port "second-$second" 1)" 1 '\5'
  client=$pid
  kill "$daemon_pid"
  draining() { log_has "second-$second" draining; }
  wait_for draining || fail "it does not drain"
  gone "$daemon_pid" && fail "drain: it ended with a client that may finish"
  kill -"$second" "$daemon_pid"
  expect_end "$daemon_pid" 0 "drain: a second signal, SIG$second"
  kill -9 "$client"
  forget "$client"
done
ok "dcsd: a second TERM or INT, or QUIT, ends the drain"

# pppd-socks, whose upstream accepts and says nothing.
start_one silent dcsd 'timeouts: { handshake = 600; };'
silent=$pid
upstream=$(port silent 1)
kill -STOP "$silent"
rm -f "$work/pid"
start_one stuck pppd-socks 'timeouts: { handshake = 600; connect = 600; drain = 1; };'
daemon_pid=$pid
hold stuck-client "$(port stuck 1)" 3 'x'
client=$pid
stop "$daemon_pid"
kill -9 "$client" "$silent"
forget "$client"
ok "pppd-socks: TERM while its upstream is silent ends it after the drain time"
