#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a network can do to the daemons: targets that cannot be reached, names that are not
# answered, packets that are lost, addresses and ports that go away, no IPv6. (FAULTS C2,
# C3, C5 to C8, C15 to C19, F27, G9.) Needs root: it runs in a network, and a view of the
# files in /etc, of its own, which are gone with its last process. Nothing of the machine
# is touched, so that all ports here are fixed.

# shellcheck source=netns.sh
. "${srcdir:-.}/tests/scripts/netns.sh"
network_of_its_own nft perl

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

here=$top/tests/scripts
port=1081
bulk=1048576

# The network: lo, and a cable of which both ends are here. 10.112.0.1 to 3 lead nowhere,
# each in its way; what is sent to 127.0.0.3, 10.111.0.9 and 2001:db8:111::9 is lost.
build_network() {
  ip link set lo up
  ip link add cable type veth peer name end 2>"$work/err" ||
    skip "no veth devices: $(cat "$work/err")"
  ip address add 10.111.0.1/24 dev cable
  ip -6 address add 2001:db8:111::1/64 dev cable nodad 2>/dev/null
  ip link set cable up
  ip link set end up
  ip route add unreachable 10.112.0.1
  ip route add prohibit 10.112.0.2
  ip route add blackhole 10.112.0.3
  nft -f - 2>"$work/err" <<'END' || skip "no packet filter: $(cat "$work/err")"
    table inet faults {
      chain lost {
        type filter hook output priority 0
        ip daddr { 127.0.0.3, 10.111.0.9 } drop
        ip6 daddr 2001:db8:111::9 drop
      }
      chain now { type filter hook input priority 0; }
    }
END
}

# lose RULE...: packets that it matches, until lose_nothing.
lose() {
  nft add rule inet faults now "$@" drop 2>"$work/err"
}
lose_nothing() {
  nft flush chain inet faults now
}

has_ipv6() {
  ip -6 address show dev cable 2>/dev/null | grep -q 2001:db8:111::1
}

build_files() {
  printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$work/resolv.conf"
  printf 'hosts: files dns\n' >"$work/nsswitch.conf"
  printf '127.0.0.1 localhost\n' >"$work/hosts"
  for file in resolv.conf nsswitch.conf hosts; do
    [ ! -e "/etc/$file" ] || mount --bind "$work/$file" "/etc/$file" ||
      skip "cannot lay $file over /etc/$file"
  done
  # A cache of names would ask in the network where it runs itself.
  [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd
}

start_dns() {
  cat >"$work/names" <<'END'
servfail.test     2
refused.test      5
drop.test         drop
empty.test
v4.test           127.0.0.64
v6.test           2001:db8:111::1
dead-first.test   127.0.0.3 127.0.0.64
refused-first.test 127.0.0.4 127.0.0.64
all-dead.test     127.0.0.4 10.112.0.1
mixed.test        2001:db8:111::9 2001:db8:111::9 127.0.0.64
END
  : >"$work/dns.log"
  perl "$here/dns.pl" "$work/names" >"$work/dns.log" 2>&1 </dev/null &
  dns=$!
  own "$dns"
  wait_for log_has dns ready || fail "the name server did not start"
}

# One server for each family: its first line comes back at once.
start_targets() {
  perl "$top/contrib/httpd" 127.0.0.64:8000 >"$work/target.log" 2>&1 </dev/null &
  own $!
  perl "$top/contrib/httpd" 10.111.0.1:8000 >"$work/target2.log" 2>&1 </dev/null &
  own $!
  wait_for log_has target 'listening on' || fail "the target did not start"
  wait_for log_has target2 'listening on' || fail "the second target did not start"
}

# restart_dcsd CONFIG: $dcsd is its process.
restart_dcsd() {
  [ -z "${dcsd:-}" ] || stop "$dcsd"
  printf 'listen = "127.0.0.1:%s";\n%s\n' "$port" "$1" >"$work/dcsd.conf"
  start dcsd "$DCSD" -c "$work/dcsd.conf"
  dcsd=$pid
}

# sockets PID: how many it has. threads PID.
sockets() {
  for fd in "/proc/$1/fd"/*; do
    readlink "$fd"
  done 2>/dev/null | grep -c '^socket:'
}
threads() {
  sed -n 's/^Threads:[[:space:]]*//p' "/proc/$1/status"
}
rss_kb() {
  sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

# mark: what dcsd has now. expect_baseline WHAT: it has no more.
mark() {
  sockets_before=$(sockets "$dcsd")
}
at_baseline() {
  [ "$(sockets "$dcsd")" -le "$sockets_before" ]
}
expect_baseline() {
  wait_for at_baseline ||
    fail "$1: $(sockets "$dcsd") sockets instead of $sockets_before"
}

# strerror NAME: the system's words for an errno.
strerror() {
  perl -MErrno -e '$! = &{\&{"Errno::" . shift}}(); print "$!\n"' "$1"
}

socks() {
  perl "$here/socks.pl" "$@" 2>&1
}

# field NAME TEXT: the value of NAME=... in it.
field() {
  printf '%s\n' "$2" | sed -n "s/.*[ ]*$1=\([^ ]*\).*/\1/p"
}

last_line() {
  grep ' tunnel id=' "$work/dcsd.log" | tail -n 1
}

# Each tunnel through dcsd has one line when it ends. count_lines, the tunnel, and then
# expect_line WHAT.
count_lines() {
  lines=$(log_count dcsd ' tunnel id=')
}
one_more() {
  [ "$(log_count dcsd ' tunnel id=')" -gt "$lines" ]
}
expect_line() {
  wait_for one_more || fail "$1: no line in the log"
  [ "$(log_count dcsd ' tunnel id=')" -eq $((lines + 1)) ] || fail "$1: several lines"
}

# expect_rep REP TARGET ERROR WHAT: dcsd answers so, and its line is whole. $ms is how
# long it took.
expect_rep() {
  count_lines
  reply=$(socks ask "127.0.0.1:$port" "$2")
  [ "$(field rep "$reply")" = "$1" ] || fail "$4: $reply instead of rep=$1"
  ms=$(field ms "$reply")
  expect_line "$4"
  # Not served: everything that it has no value for, and why.
  seconds='(-|[0-9]+\.[0-9]{3})'
  target=$(printf '%s' "$2" | sed 's/[].[]/\\&/g')
  line="tunnel id=[0-9a-f]+-[0-9]+ client=127\\.0\\.0\\.1:[0-9]+ user=- rule=-"
  line="$line cmd=connect target=$target addr=- up=0 down=0"
  line="$line dns=$seconds dial=$seconds time=[0-9]+\\.[0-9]{3} end=connect-failed"
  if [ "$1" != 0 ]; then
    last_line | grep -qE "$line rep=$1 error=\"$3\"\$" ||
      fail "$4: the line is $(last_line)"
  fi
}

# expect_ms LEAST MOST WHAT
expect_ms() {
  if [ "$ms" -lt "$1" ] || [ "$ms" -ge "$2" ]; then
    fail "$3: after $ms ms instead of $1 to $2"
  fi
}

# start_ppp TARGET...: a route for each, at 2001 and so on. $ppp is its process.
start_ppp() {
  route=2000
  {
    printf 'upstreams = ( { address = "127.0.0.1:%s"; } );\nroutes = (' "$port"
    comma=
    for target in "$@"; do
      route=$((route + 1))
      printf '%s { listen = "*:%s"; target = "%s"; }' "$comma" "$route" "$target"
      comma=,
    done
    printf ' );\n'
  } >"$work/ppp.conf"
  start ppp "$PPPD_SOCKS" -c "$work/ppp.conf"
  ppp=$pid
}

# expect_plain ANSWER AT WHAT: a client of pppd-socks gets it.
expect_plain() {
  count_lines
  answer=$(socks plain "$2")
  [ "$answer" = "$1" ] || fail "$3: '$answer' instead of '$1'"
  expect_line "$3"
}

# expect_ppp_rep REP: pppd-socks says why it reset its last client.
expect_ppp_rep() {
  wait_for log_has ppp " end=connect-failed rep=$1 error=" || fail "pppd-socks: no rep=$1"
}

unreachable_targets() {
  nothing=$(strerror ENETUNREACH) host=$(strerror EHOSTUNREACH)
  denied=$(strerror EACCES) invalid=$(strerror EINVAL)
  restart_dcsd 'timeouts: { connect = 5; drain = 0; };'
  mark
  expect_rep 0 127.0.0.64:8000 '' "a target that is there"
  expect_baseline "a target that is there"
  expect_rep 3 203.0.113.1:80 "$nothing" "no route"
  expect_rep 4 10.112.0.1:80 "$host" "an unreachable route"
  expect_rep 2 10.112.0.2:80 "$denied" "a prohibited route"
  expect_rep 1 10.112.0.3:80 "$invalid" "a blackhole route"
  ! has_ipv6 || expect_rep 3 '[2001:db8:222::1]:80' "$nothing" "no route for IPv6"
  start_ppp 203.0.113.1:80 10.112.0.1:80 10.112.0.2:80 10.112.0.3:80
  i=0
  for rep in 3 4 2 1; do
    i=$((i + 1))
    expect_plain "$(strerror ECONNRESET)" "127.0.0.1:$((2000 + i))" "rep $rep"
    expect_ppp_rep "$rep"
  done
  expect_baseline "unreachable targets"
  stop "$ppp"
  ok "a target without a route is REP 3, 4, 2 or 1, and a reset for a plain client (C2)"
}

lost_connects() {
  restart_dcsd 'timeouts: { connect = 1; drain = 0; };'
  mark
  expect_rep 6 127.0.0.3:80 "$(strerror ETIMEDOUT)" "packets that are lost"
  threads_before=$(threads "$dcsd")
  expect_rep 6 10.111.0.9:80 "$(strerror ETIMEDOUT)" "packets that are lost"
  expect_ms 1000 8000 "packets that are lost"
  expect_baseline "packets that are lost"
  [ "$(threads "$dcsd")" -le "$threads_before" ] || fail "a connect leaves its thread"
  start_ppp 127.0.0.3:80
  expect_plain "$(strerror ECONNRESET)" 127.0.0.1:2001 "packets that are lost"
  expect_ppp_rep 6
  stop "$ppp"
  ok "packets that are lost are REP 6 at timeouts.connect (C3)"
}

# expect_dial LEAST MOST WHAT: by the line of the last tunnel.
expect_dial() {
  ms=$(field dial "$(last_line)" | awk '{ print int($1 * 1000) }')
  expect_ms "$1" "$2" "$3"
}

several_addresses() {
  restart_dcsd 'timeouts: { connect = 8; drain = 0; };'
  # Behind 250 ms there is the patience of a busy machine, and before the second wave.
  expect_rep 0 dead-first.test:8000 '' "the first address is dead"
  expect_dial 250 1000 "the first address is dead"
  last_line | grep -q ' addr=127\.0\.0\.64:8000 ' || fail "which one? $(last_line)"
  expect_rep 0 refused-first.test:8000 '' "the first address refuses"
  expect_dial 0 250 "the first address refuses"
  expect_rep 4 all-dead.test:8000 "$(strerror EHOSTUNREACH)" "all addresses fail"
  if has_ipv6; then
    expect_rep 0 mixed.test:8000 '' "two dead IPv6 addresses before one of IPv4"
    expect_dial 250 500 "the families take turns"
  else
    skip_part "IPv6 and IPv4 in turns: no IPv6"
  fi
  ok "addresses of a name are tried 250 ms apart, at once behind a failure (C5)"
}

names() {
  restart_dcsd 'timeouts: { connect = 15; drain = 0; };'
  expect_rep 4 no-such-name.test:80 'name not found' "NXDOMAIN"
  expect_rep 4 empty.test:80 'name not found' "a name without addresses"
  expect_rep 1 servfail.test:80 'the name server failed' "SERVFAIL"
  expect_rep 1 refused.test:80 'the name server failed' "REFUSED"
  expect_rep 6 drop.test:80 "$(strerror ETIMEDOUT)" "no answer"
  expect_rep 0 v4.test:8000 '' "A only"
  if has_ipv6; then
    expect_rep 5 v6.test:8000 "$(strerror ECONNREFUSED)" "AAAA only"
  fi
  kill "$dns"
  wait_for gone "$dns"
  forget "$dns"
  expect_rep 1 v4.test:8000 'the name server failed' "nobody at the server's port"
  start_dns
  expect_rep 0 v4.test:8000 '' "the name server is back"
  ok "what a name server says, or not, is REP 4, 1 or 6 (C6, C8)"
}

# waiting N NAME: that many clients ask for it and nothing comes back. $pid is who does.
waiting() {
  : >"$work/waiting.log"
  perl "$here/socks.pl" wait "127.0.0.1:$port" "$2" "$1" >"$work/waiting.log" 2>&1 &
  pid=$!
  own "$pid"
  wait_for log_has waiting held || fail "$1 clients cannot ask"
}

stalled_names() {
  printf 'nameserver 127.0.0.1\noptions timeout:5 attempts:1\n' >"$work/resolv.conf"
  restart_dcsd 'timeouts: { connect = 15; drain = 0; };'
  mark
  expect_rep 0 127.0.0.64:8000 '' "a target"
  expect_baseline "a target"
  waiting 200 drop.test:80
  expect_rep 0 127.0.0.64:8000 '' "an address while 200 names are not answered"
  expect_ms 0 2000 "an address while 200 names are not answered"
  [ "$(grep -c 'target=drop.test' "$work/dcsd.log")" -eq 0 ] ||
    fail "the names were not waited for: the test is too slow for this machine"
  answered() { [ "$(log_count dcsd 'target=drop.test:80 ')" -eq 200 ]; }
  wait_for answered || fail "200 clients: $(log_count dcsd drop.test) are answered"
  [ "$(grep -c ' rep=6 ' "$work/dcsd.log")" -eq 200 ] || fail "200 clients: not rep=6"
  kill -9 "$pid"
  forget "$pid"
  expect_baseline "200 clients"
  ok "200 names that are not answered do not hold up others (C7)"
}

end_in_a_look_up() {
  printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n' >"$work/resolv.conf"
  restart_dcsd 'timeouts: { drain = 1; };'
  waiting 1 drop.test:80
  from=$(date +%s)
  stop "$dcsd"
  took=$(($(date +%s) - from))
  [ "$took" -le 8 ] || fail "SIGTERM in a look-up: gone after $took s"
  dcsd=
  kill -9 "$pid"
  forget "$pid"
  printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$work/resolv.conf"
  ok "SIGTERM ends dcsd though a look-up hangs (F27)"
}

# expect_same WHAT MOST_MS: $work/pass.log of `socks pass'.
expect_same() {
  wait_for grep -q . "$work/pass.log" || fail "$1: it does not end"
  grep -q '^same ' "$work/pass.log" || fail "$1: $(cat "$work/pass.log")"
  ms=$(field ms "$(cat "$work/pass.log")")
}

# pass N [FILE]: in the background, through pppd-socks and dcsd and back.
pass() {
  : >"$work/pass.log"
  perl "$here/socks.pl" pass 127.0.0.1:2001 127.0.0.64:9001 "$@" >"$work/pass.log" 2>&1 &
  own $!
}

lost_packets() {
  restart_dcsd 'timeouts: { drain = 0; };'
  start_ppp 127.0.0.64:9001
  pass "$bulk"
  expect_same "a good network"

  pass $((32 * bulk)) "$work/quarter"
  wait_for test -e "$work/quarter" || fail "no data comes through"
  lose tcp dport "{ $port, 9001 }" counter || fail "$(cat "$work/err")"
  : >"$work/quarter.go"
  lost() {
    [ "$(nft list chain inet faults now | sed -n 's/.*packets \([0-9]*\).*/\1/p')" -ge 4 ]
  }
  wait_for lost || fail "no packets are lost"
  sleep 2 # this long: all buffers are full and writes hang meanwhile
  [ ! -s "$work/pass.log" ] || fail "it was over though all packets are lost"
  lose_nothing
  expect_same "two seconds without a network"
  ok "nothing is lost over two seconds without a network (C15, reduced)"

  # A count, not chance, so that no packet is lost again and again.
  if lose tcp dport 9001 numgen inc mod 3 0; then
    lose tcp sport 9001 numgen inc mod 3 0
    pass "$bulk"
    expect_same "packets are lost"
    lose_nothing
    ok "a third of all packets lost does not change a byte (C17)"
  else
    skip_part "lost packets: the kernel cannot count them"
  fi

  if has tc && tc qdisc add dev lo root tbf rate 32mbit burst 128kb latency 100ms \
    2>/dev/null; then
    before=$(($(rss_kb "$dcsd") + $(rss_kb "$ppp")))
    pass $((2 * bulk))
    expect_same "a slow link"
    after=$(($(rss_kb "$dcsd") + $(rss_kb "$ppp")))
    tc qdisc del dev lo root
    # Six times over lo: 12 MiB at 4 MB/s, but for what a burst carries.
    [ "$ms" -ge 2000 ] || fail "a slow link: it was not slow ($ms ms)"
    [ $((after - before)) -le 2048 ] ||
      fail "a slow link: memory grew from $before to $after KB"
    ok "a slow link is as slow as it is, and costs no memory (C16)"
  else
    skip_part "a slow link: no tc or no tbf"
  fi
  stop "$ppp"
}

interface_down() {
  restart_dcsd 'timeouts: { connect = 1; drain = 0; };'
  start_ppp 10.111.0.1:8000
  expect_rep 0 10.111.0.1:8000 '' "the interface is up"
  expect_plain 'HTTP/1.1 200 OK' 127.0.0.1:2001 "the interface is up"
  ip address del 10.111.0.1/24 dev cable
  expect_rep 3 10.111.0.1:8000 "$(strerror ENETUNREACH)" "the address is gone"
  expect_plain "$(strerror ECONNRESET)" 127.0.0.1:2001 "the address is gone"
  expect_ppp_rep 3
  ip address add 10.111.0.1/24 dev cable
  expect_rep 0 10.111.0.1:8000 '' "the address is back"
  expect_plain 'HTTP/1.1 200 OK' 127.0.0.1:2001 "the address is back"
  stop "$ppp"
  ok "an address that goes is REP 3, and all is well when it is back (C18)"
}

no_local_ports() {
  range=/proc/sys/net/ipv4/ip_local_port_range
  [ -w "$range" ] || {
    skip_part "local ports that run out: no $range"
    return
  }
  restart_dcsd 'timeouts: { connect = 5; drain = 0; };'
  was=$(cat "$range")
  echo 40000 40003 >"$range"
  : >"$work/held.log"
  # The clients' own ports are not from the range, or they would run out first.
  set -- hold "127.0.0.1:$port" 127.0.0.64:8000 4 50000
  perl "$here/socks.pl" "$@" >"$work/held.log" 2>&1 &
  holder=$!
  own "$holder"
  wait_for grep -qE 'held|no|:' "$work/held.log"
  [ "$(grep -c '^rep=0$' "$work/held.log")" -eq 4 ] ||
    fail "4 tunnels with 4 ports: $(cat "$work/held.log")"
  expect_rep 1 127.0.0.64:8000 "$(strerror EADDRNOTAVAIL)" "no local port"
  kill -9 "$holder"
  forget "$holder"
  recovered() { [ "$(field rep "$(socks ask "127.0.0.1:$port" 127.0.0.64:8000)")" = 0 ]; }
  wait_for recovered || fail "no local port: it does not recover"
  echo "$was" >"$range"
  ok "no local port is REP 1, told once, and recovers (C19)"
}

every_address() {
  restart_dcsd 'timeouts: { drain = 0; };'
  start_ppp 127.0.0.64:8000
  for at in 127.0.0.1 10.111.0.1 '[::1]' '[2001:db8:111::1]'; do
    case $at in
    '['*) has_ipv6 || continue ;;
    esac
    expect_plain 'HTTP/1.1 200 OK' "$at:2001" "a client at $at"
    logged() { grep -qF " client=$at:" "$work/ppp.log"; }
    wait_for logged || fail "a client from $at is not in the log"
  done
  [ "$(log_count ppp ' listening on ')" -eq "$(has_ipv6 && echo 2 || echo 1)" ] ||
    fail "*:PORT: $(grep ' listening on ' "$work/ppp.log")"
  stop "$ppp"
  ok "*:PORT serves clients from every address of both families"
}

without_ipv6() {
  [ -w /proc/sys/net/ipv6/conf/all/disable_ipv6 ] || {
    skip_part "IPv6 taken away: it cannot be"
    return
  }
  [ -z "${dcsd:-}" ] || stop "$dcsd"
  dcsd=
  for each in /proc/sys/net/ipv6/conf/*/disable_ipv6; do
    echo 1 >"$each"
  done
  for daemon in dcsd ppp; do
    case $daemon in
    dcsd) set -- "$DCSD" -l ;;
    *) set -- "$PPPD_SOCKS" -L ;;
    esac
    # A route adds what it leads to.
    to=
    [ "$daemon" = dcsd ] || to=:127.0.0.64:8000
    : >"$work/empty.conf"
    start "$daemon-no-v6" "$@" "3001$to" -c "$work/empty.conf"
    [ "$(log_count "$daemon-no-v6" ' listening on ')" -eq 1 ] ||
      fail "$daemon: $(grep ' listening on ' "$work/$daemon-no-v6.log")"
    wait_for log_has "$daemon-no-v6" ' listening on 127.0.0.1:3001' ||
      fail "$daemon: not at 3001"
    stop "$pid"
    expect_run 1 "$daemon at [::1]" "$@" "[::1]:3001$to" -c "$work/empty.conf" -f
    expect_text err "[::1]:3001" "$daemon at [::1]"
    expect_text err ": $(strerror EADDRNOTAVAIL)" "$daemon at [::1]"
  done
  ok "without IPv6 a bare port is one of IPv4, and [::1] named is an error (G9)"
}

build_network
build_files
start_dns
start_targets
unreachable_targets
lost_connects
several_addresses
names
stalled_names
end_in_a_look_up
lost_packets
interface_down
no_local_ports
every_address
without_ipv6
