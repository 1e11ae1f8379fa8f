#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The control sockets of both daemons, asked by tunnelctl: status, tunnels, kill, log,
# metrics; who may use them; and the status that USR1 writes into the log.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

TUNNELCTL=$(absolute "${TUNNELCTL:-./tunnelctl}")
has perl || skip "no perl, which is the client here"

start_target
cat >"$work/d.conf" <<CONF
listen = "127.0.0.1:0"; control = "$work/d.ctl";
rules = ( { name = "all"; action = "allow"; } );
CONF
start_daemon() {
  name=$1
  shift
  : >"$work/$name.log"
  "$@" >"$work/$name.log" 2>&1 </dev/null &
  pid=$!
  own "$pid"
  wait_for log_has "$name" ' ready' || fail "$name: it is not ready"
}
start_daemon dcsd "$DCSD" -f -c "$work/d.conf"
dcsd=$pid dcsd_port=$(port dcsd 1)
cat >"$work/p.conf" <<CONF
control = "$work/p.ctl";
upstreams = ( { name = "dcs"; address = "127.0.0.1:$dcsd_port"; spare = 2; } );
routes = ( { name = "web"; listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; } );
CONF
start_daemon ppp "$PPPD_SOCKS" -f -c "$work/p.conf"
ppp=$pid ppp_port=$(port ppp 1)

# ctl STATUS D|P COMMAND...: what is said is in $work/out, or err.
ctl() {
  expected=$1 socket=$work/$2.ctl
  shift 2
  expect_run "$expected" "tunnelctl $*" "$TUNNELCTL" -s "$socket" "$@"
}

ctl 0 d status
expect_text out "name dcsd" status
expect_text out "pid $dcsd" status
expect_text out "listener 127.0.0.1:$dcsd_port" status
spares_are_there() {
  "$TUNNELCTL" -s "$work/p.ctl" status | grep -q ' state=well tunnels=[01] spares=2$'
}
wait_for spares_are_there || fail "the two spares are not in the status"
ctl 0 p status
expect_text out "upstream dcs address=127.0.0.1:$dcsd_port state=well tunnels=0" status
expect_text out "target 127.0.0.1:$target route=web upstream=dcs state=well tunnels=0" \
  status
ok "status tells of the daemon, its listeners, upstreams and targets"

hold clients "$ppp_port" 3 'x'
tunnels_are() {
  n=$("$TUNNELCTL" -s "$work/p.ctl" tunnels upstream=dcs 2>/dev/null | wc -l)
  [ "$n" -eq "$1" ]
}
wait_for tunnels_are 3 || fail "there are not three tunnels"
ctl 0 p tunnels
grep -qE "^tunnel id=[^ ]+ client=127\.0\.0\.1:[0-9]+ route=web \
target=127\.0\.0\.1:$target upstream=dcs up=[01] down=0 time=[0-9.]+ idle=[0-9.]+$" \
  "$work/out" || fail "not the line of a tunnel: $(cat "$work/out")"
ctl 0 d tunnels rule=all
grep -qE " user=- rule=all cmd=connect target=127\.0\.0\.1:$target addr=" \
  "$work/out" ||
  fail "not the line of a tunnel of dcsd: $(cat "$work/out")"
ok "tunnels tells of each"

id=$("$TUNNELCTL" -s "$work/p.ctl" tunnels | sed -n '1s/^tunnel id=\([^ ]*\) .*/\1/p')
is_killed() {
  grep -q "tunnel id=$id .* end=killed" "$work/ppp.log"
}
ctl 0 p kill "$id"
wait_for is_killed || fail "it was not killed: $id"
wait_for tunnels_are 2 || fail "the others did not stay"
ctl 1 p kill "$id"
expect_text err "there is no tunnel $id" kill
ok "kill cuts that one, and no other"

ctl 0 p metrics
expect_text out 'tunnels_active{daemon="pppd-socks"} 2' metrics
expect_text out 'tunnels_ended_total{daemon="pppd-socks",end="killed"} 1' metrics
expect_text out '# TYPE tunnels_bytes_total counter' metrics
grep -qvE '^(# (HELP|TYPE) tunnels_[a-z_]+ .+|tunnels_[a-z_]+\{[^}]*\} [0-9.]+)$' \
  "$work/out" && fail "not in the format of Prometheus: $(cat "$work/out")"
ok "metrics counts them"

ctl 1 p log loud
ctl 0 p log debug
hold more "$ppp_port" 1 'x'
wait_for log_has ppp ' route=web start' || fail "the log is not at debug"
ok "log changes the level"

kill -USR1 "$ppp"
wait_for log_has ppp 'status: tunnels 3' || fail "USR1: no status in the log"
wait_for log_has ppp 'status: upstream dcs ' || fail "USR1: no upstream in the log"
ok "USR1 writes the status into the log"

# Only its owner gets in.
[ "$(stat -c %a "$work/d.ctl")" = 600 ] || fail "the socket is not its owner's alone"
printf 'listen = "127.0.0.1:0"; control = "%s/d.ctl";\n' "$work" >"$work/d2.conf"
expect_run 1 "a second dcsd" "$DCSD" -f -c "$work/d2.conf"
expect_text err "d.ctl: " "a second dcsd"
ctl 0 d status
kill -QUIT "$ppp" "$dcsd"
for pid in "$ppp" "$dcsd"; do
  wait_for gone "$pid" || fail "it does not end"
  forget "$pid"
done
[ ! -e "$work/d.ctl" ] || fail "the socket is still there"
ctl 2 d status
ok "a socket is one daemon's, and gone with it"
