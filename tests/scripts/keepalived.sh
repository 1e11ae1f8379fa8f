#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The real keepalived with contrib/keepalived/keepalived.conf, on two machines that are
# networks of their own, with a cable between them: the address is where SOCKS is served,
# moves when it is not any more, and does not move back. Needs root; nothing of the
# machine is touched, so that the port is that of the file.

# shellcheck source=netns.sh
. "${srcdir:-.}/tests/scripts/netns.sh"
network_of_its_own keepalived nsenter

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

PROBE=$(absolute "${SOCKS5_PROBE:-./socks5-probe}")
sample=$top/contrib/keepalived/keepalived.conf
shared=192.0.2.100

# Where the sample looks for it, and as keepalived wants it: only root can write there.
mount -t tmpfs -o mode=755 none /usr/local/sbin || skip "no tmpfs can be mounted"
cp "$PROBE" /usr/local/sbin/socks5-probe

# The other machine is a process that sleeps; "there" runs a command on it.
unshare --net sleep 600 &
other=$!
own "$other"
apart() { [ "$(readlink /proc/$$/ns/net)" != "$(readlink "/proc/$other/ns/net")" ]; }
wait_for apart || fail "no second network"
there() {
  nsenter --target "$other" --net "$@"
}
ip link add eth0 type veth peer name eth0 netns "$other" 2>"$work/err" ||
  skip "no veth devices: $(cat "$work/err")"
for where in '' there; do
  $where ip link set lo up
  $where ip link set eth0 up
done
ip address add 192.0.2.1/24 dev eth0
there ip address add 192.0.2.2/24 dev eth0

# With -t, keepalived 2.2 ends itself by a signal if script_user is not who starts it.
sed 's/script_user nobody/script_user root/' "$sample" >"$work/test.conf"
expect_run 0 "keepalived -t" keepalived -t -f "$work/test.conf"
[ -z "$(cat "$work/out" "$work/err")" ] || fail "keepalived -t has something to say"
ok "keepalived.conf is good"

cat >"$work/dcsd.conf" <<'END'
listen = "*:1080";
rules = ( { name = "all"; action = "allow"; } );
END
start dcsd1 "$DCSD" -c "$work/dcsd.conf"
dcsd1=$pid
start dcsd2 nsenter --target "$other" --net "$DCSD" -c "$work/dcsd.conf"

# keep NAME CONF COMMAND...: keepalived, by that command.
keep() {
  name=$1
  conf=$2
  shift 2
  "$@" keepalived --dont-fork --log-console --log-detail --vrrp -f "$conf" \
    -p "$work/$name.pid" -r "$work/$name-vrrp.pid" >"$work/$name.log" 2>&1 </dev/null &
  pid=$!
  own "$pid"
}
has_address() {
  "$@" ip address show dev eth0 | grep -qF "inet $shared/"
}
lacks_address() {
  ! has_address "$@"
}

keep one "$sample" env
one=$pid
wait_for has_address env || fail "the first machine does not take the address"
sed -e 's/router_id socks1/router_id socks2/' -e 's/priority 100/priority 90/' \
  "$sample" >"$work/two.conf"
keep two "$work/two.conf" nsenter --target "$other" --net
two=$pid
wait_for log_has two 'Entering BACKUP' || fail "the second machine is no backup"
expect_run 0 "from the second machine" \
  nsenter --target "$other" --net "$PROBE" "$shared:1080" auth
ok "one machine has the address, and serves it"

kill -9 "$dcsd1"
wait "$dcsd1" 2>/dev/null
forget "$dcsd1"
wait_for has_address there || fail "the address does not move"
wait_for lacks_address env || fail "both have the address"
expect_run 0 "from the first machine" "$PROBE" "$shared:1080" auth
ok "it moves when SOCKS is not served any more"

start dcsd1 "$DCSD" -c "$work/dcsd.conf"
back() { [ "$(log_count one 'Entering BACKUP')" -ge 2 ]; }
wait_for back || fail "that the first machine serves again is not noticed"
sleep 5 # it would be taken after 3.6 s of adverts with a lower priority
has_address there || fail "it has moved back"
lacks_address env || fail "both have the address"
ok "it stays where it is when the first machine is back"

stop "$two"
wait_for has_address env || fail "the address stays where keepalived has ended"
stop "$one"
ok "it moves when keepalived ends"
