#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Names that a name server behind dcsd knows, looked up by the resolver of the system,
# which knows only a UDP route of pppd-socks. Needs root: it runs in a network, and a view
# of the files in /etc, of its own, which are gone with its last process. All ports here
# are fixed.
#
#   getent --> 127.0.0.1:53 pppd-socks --> 127.0.0.1:1081 dcsd --> 127.0.0.53:53 dns.pl

# shellcheck source=netns.sh
. "${srcdir:-.}/tests/scripts/netns.sh"
network_of_its_own perl getent

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

here=$top/tests/scripts
many=100

# lay FILE: ours over the one in /etc, where there is one.
lay() {
  [ ! -e "/etc/$1" ] || mount --bind "$work/$1" "/etc/$1" ||
    skip "cannot lay $1 over /etc/$1"
}

build_network() {
  ip link set lo up
  printf 'nameserver 127.0.0.1\noptions timeout:2 attempts:3\n' >"$work/resolv.conf"
  printf 'hosts: files dns\n' >"$work/nsswitch.conf"
  printf '127.0.0.1 localhost\n' >"$work/hosts"
  lay resolv.conf
  lay nsswitch.conf
  lay hosts
  # A cache of names would ask in the network where it runs itself.
  [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd
}

start_dns() {
  i=0
  while [ "$i" -lt "$many" ]; do
    i=$((i + 1))
    printf 'n%s.test 10.1.2.%s\n' "$i" "$i"
  done >"$work/names"
  printf 'v6.test 2001:db8::53\n' >>"$work/names"
  : >"$work/dns.log"
  perl "$here/dns.pl" "$work/names" 127.0.0.53 >"$work/dns.log" 2>&1 </dev/null &
  own $!
  wait_for log_has dns ready || fail "the name server did not start"
}

# dcsd speaks to the target of the route, and to no other.
start_daemons() {
  cat >"$work/dcsd.conf" <<'END'
listen = "127.0.0.1:1081";
rules = ( { name = "dns"; action = "allow"; commands = [ "udp" ];
            targets = [ "127.0.0.53" ]; ports = ( 53, 54 ); } );
END
  start dcsd "$DCSD" -c "$work/dcsd.conf"
  dcsd=$pid
  start_ppp
}

start_ppp() {
  cat >"$work/ppp.conf" <<'END'
routes = ( { name = "dns"; listen = "127.0.0.1:53"; protocol = "udp";
             target = "127.0.0.53:53"; idle = 1; },
           { name = "echo"; listen = "127.0.0.1:54"; protocol = "udp";
             target = "127.0.0.53:54"; } );
END
  start ppp "$PPPD_SOCKS" -c "$work/ppp.conf"
  ppp=$pid
}

# look_up NAME: prints its address.
look_up() {
  getent ahosts "$1" | sed -n '1s/ .*//p'
}
finds() {
  [ "$(look_up "$1")" = "$2" ]
}

# The replies go to whoever asked: each has a name of its own, and another address.
look_up_many() {
  pids=
  i=0
  while [ "$i" -lt "$many" ]; do
    i=$((i + 1))
    finds "n$i.test" "10.1.2.$i" &
    pids="$pids $!"
  done
  for each in $pids; do
    wait "$each" || fail "one of $many names at a time: not its address"
  done
}

start_echo() {
  : >"$work/echo.log"
  perl -MSocket -e '
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
    bind($s, pack_sockaddr_in(54, inet_aton("127.0.0.53"))) or die;
    $| = 1;
    print "ready\n";
    while (defined(my $from = recv($s, my $data, 65536, 0))) { send($s, $data, 0, $from) }
  ' >"$work/echo.log" 2>&1 </dev/null &
  own $!
  wait_for log_has echo ready || fail "the echo did not start"
}

# echoes SIZE: 20 datagrams of that size come back in order, once all of them have waited
# for pppd-socks, and once for dcsd.
echoes() {
  perl -MSocket -e '
    my ($size, @pids) = @ARGV;
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
    setsockopt($s, SOL_SOCKET, SO_RCVTIMEO, pack("l!l!", 10, 0)) or die;
    connect($s, pack_sockaddr_in(54, inet_aton("127.0.0.1"))) or die;
    send($s, "begin", 0) && recv($s, my $first, 65536, 0) // die "nothing";
    for my $pid (@pids) {
      my @sent = map { pack("N", $_) x ($size / 4) } 1 .. 20;
      kill("STOP", $pid);
      until (`cat /proc/$pid/stat` =~ /\) T /) { }
      send($s, $_, 0) for @sent;
      kill("CONT", $pid);
      for (@sent) {
        recv($s, my $got, 65536, 0) // die "lost";
        $got eq $_ or die "not what was sent";
      }
    }' "$1" "$ppp" "$dcsd" 2>"$work/err"
}

sessions() {
  log_count ppp ' target=127.0.0.53:5'
}
has_sessions() {
  [ "$(sessions)" -ge "$1" ]
}

build_network
start_dns
! finds n1.test 10.1.2.1 || fail "the name is known without pppd-socks"
start_daemons
finds n1.test 10.1.2.1 || fail "a name is not looked up by the route"
! grep -q . /proc/net/if_inet6 2>/dev/null || finds v6.test 2001:db8::53 ||
  fail "an IPv6 address is not looked up by the route"
[ -z "$(look_up no-such-name.test)" ] || fail "a name that is none has an address"
ok "the resolver of the system asks by a UDP route"

look_up_many
ok "$many at a time, each with an answer of its own"

# Nearly as many: a client may get the port of one that has just gone.
wait_for has_sessions $((many * 9 / 10)) || fail "only $(sessions) sessions in the log"
ok "each session ends by itself, and is in the log"

start_echo
echoes 1000 || fail "datagrams that come together are lost: $(cat "$work/err")"
ip link set lo mtu 1400
echoes 2000 || fail "so are those that are larger than the MTU: $(cat "$work/err")"
ip link set lo mtu 65536
ok "datagrams of one size come through together, larger than the MTU, too"

stop "$ppp"
before=$(sessions)
! finds n2.test 10.1.2.2 || fail "the name is known without pppd-socks"
start_ppp
finds n2.test 10.1.2.2 || fail "no name is looked up behind a new start"
stop "$ppp"
stop "$dcsd"
[ "$(log_count dcsd ' cmd=udp ')" -eq $((before + $(sessions))) ] ||
  fail "dcsd has $(log_count dcsd ' cmd=udp ') associations"
ok "stopped and started again, with an association for each session"
