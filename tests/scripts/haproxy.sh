#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The real HAProxy with contrib/haproxy/haproxy.cfg in front of two dcsd: both are used,
# they know who the clients are, and clients do not notice when one of them dies, drains
# or comes back; with both kinds of health checks, and check-socks5 by itself.

# shellcheck disable=SC2016 # the dollars are for perl
:
# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

sample=$top/contrib/haproxy/haproxy.cfg
checker=$top/contrib/haproxy/check-socks5
PROBE=$(absolute "${SOCKS5_PROBE:-./socks5-probe}")
PATH=$PATH:/usr/sbin:/sbin
for needed in haproxy curl perl; do
  has "$needed" || skip "no $needed"
done

# Two machines: addresses of loopback where nobody else takes a port while one is down.
printf 'listen = "127.77.0.1:0"; proxy_protocol = "127.0.0.0/8";\n' >"$work/dcs1.conf"
printf 'listen = "127.77.0.2:0"; proxy_protocol = "127.0.0.0/8";\n' >"$work/dcs2.conf"
start dcs1 "$DCSD" -c "$work/dcs1.conf"
dcs1=$pid
at1=127.77.0.1:$(port dcs1 1)
start dcs2 "$DCSD" -c "$work/dcs2.conf"
at2=127.77.0.2:$(port dcs2 1)
start_target

# check-socks5, called as HAProxy does it.
bin=$work/bin
mkdir "$bin"
ln -s "$PROBE" "$bin/socks5-probe"
check_socks5() {
  PATH=$bin:$PATH "$checker" NOT_USED NOT_USED "$1" "$2"
}
expect_run 0 "check-socks5" check_socks5 127.77.0.1 "${at1##*:}"
[ ! -s "$work/out" ] || fail "check-socks5 writes"
expect_run 2 "check-socks5, nobody there" check_socks5 127.77.0.1 1
if grep -qs '^0*1 ' /proc/net/if_inet6; then
  start six "$DCSD" -l "[::1]:0"
  # It believes no proxy. That it has something to refuse shows that it was reached.
  expect_run 2 "check-socks5, IPv6, no header wanted" check_socks5 ::1 "$(port six 1)"
  stop "$pid"
  grep -q ' client=\[::1\].* end=bad-request' "$work/six.log" ||
    fail "check-socks5: IPv6 does not reach it"
fi
ok "check-socks5"

expect_run 0 "haproxy -c" haproxy -c -f "$sample"
ok "haproxy.cfg is good as it is"

# config NAME SED-SCRIPT: the sample, for here.
config() {
  sed -e "s|^\( *log\) /dev/log .*|\1 stdout format raw local0|" \
    -e '/^ *\(user\|group\|chroot\) /d' -e 's/ level admin$//' \
    -e "s|/run/haproxy/admin.sock|$work/$1.sock|" \
    -e 's/^\( *bind\) .*/\1 "fd@${LISTEN_FD}"/' -e 's/inter 2s/inter 300ms/' \
    -e 's/maxconn 20000/maxconn 100/' \
    -e "s/192.0.2.21:1081/$at1/" -e "s/192.0.2.22:1081/$at2/" \
    -e "s|/usr/local/lib/check-socks5|$checker|" \
    -e "s|\"/usr/local/sbin:|\"$bin:|" -e "$2" "$sample" >"$work/$1.cfg"
}

# stat SERVER FIELD: a value of "show stat"; FIELD is as in its first line.
stat() {
  perl -MIO::Socket::UNIX -e '
    my ($at, $server, $field) = @ARGV;
    my $s = IO::Socket::UNIX->new(Peer => $at) or exit 1;
    syswrite($s, "show stat\n");
    my @names = split /,/, <$s> =~ s/^# //r;
    while (<$s>) {
      my %of;
      @of{@names} = split /,/;
      print "$of{$field}\n" if $of{pxname} eq "dcsd" && $of{svname} eq $server;
    }' "$work/$name.sock" "$1" "$2"
}
is() {
  [ "$(stat "$1" "$2" 2>/dev/null)" = "$3" ]
}

# balance NAME: HAProxy with $work/NAME.cfg. $proxy is its port: as it lets nobody else
# choose one, it inherits a socket that listens.
balance() {
  name=$1
  perl -MIO::Socket::INET -e '
    $^F = 255; # what is inherited
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 64) or die;
    $ENV{LISTEN_FD} = fileno($s);
    $| = 1;
    print "listening on 127.0.0.1:", $s->sockport, "\n";
    exec @ARGV;' haproxy -db -f "$work/$name.cfg" >"$work/$name.log" 2>&1 </dev/null &
  balancer=$!
  own "$balancer"
  wait_for log_has "$name" 'listening on' || fail "haproxy does not start"
  proxy=$(sed -n 's/^listening on .*://p' "$work/$name.log")
}

# get WHAT: through HAProxy, as the client 127.0.0.5.
get() {
  expect_run 0 "$1" curl -sS -m "$patience_s" --interface 127.0.0.5 \
    --socks5-hostname "127.0.0.1:$proxy" "http://127.0.0.1:$target/"
}

# tunnel NAME: one to the target, through HAProxy. With "go" in $work/NAME.go it asks,
# ends its data, and takes the answer.
tunnel() {
  : >"$work/$1.log"
  perl -MIO::Socket::INET -e '
    my ($port, $target, $go, $patience) = @ARGV;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die;
    $| = 1;
    syswrite($s, "\5\1\0");
    read($s, my $method, 2);
    syswrite($s, "\5\1\0\1\x7f\0\0\1" . pack("n", $target));
    read($s, my $reply, 10);
    print "open\n" if substr($reply, 0, 2) eq "\5\0";
    select(undef, undef, undef, 0.05) until -e $go;
    syswrite($s, "GET / HTTP/1.0\r\n\r\n");
    shutdown($s, 1);
    alarm $patience;
    print while <$s>;' "$proxy" "$target" "$work/$1.go" "$patience_s" \
    >"$work/$1.log" 2>&1 </dev/null &
  tunnel=$!
  own "$tunnel"
  wait_for log_has "$1" open || fail "$1: no tunnel"
}
finish() {
  : >"$work/$1.go"
  expect_end "$2" 0 "$1"
  wait_for log_has "$1" '200 OK' || fail "$1: no answer behind the half-close"
}

config tcp ''
balance tcp
for server in dcsd1 dcsd2; do
  wait_for is "$server" check_status L7OK || fail "$server is not well"
done

hold eight "$proxy" 8 '\5\1\0'
eight=$pid
name=tcp
for server in dcsd1 dcsd2; do
  wait_for is "$server" scur 4 || fail "8 clients: $server has $(stat "$server" scur)"
done
ok "the one with the fewest connections is used"

get "curl"
line=' client=127\.0\.0\.5:[0-9]* .* end=[a-z]*-eof'
served() { grep -qs "$line" "$work"/dcs[12].log; }
wait_for served || fail "dcsd does not know the client"
id=$(sed -n "s/.* id=\([^ ]*\)$line.*/\1/p" "$work"/dcs[12].log)
wait_for grep -q "^127\.0\.0\.5:.* $id\$" "$work/tcp.log" ||
  fail "id=$id is not in the log of HAProxy"
ok "dcsd knows who the client is, and both have the same id in the log"

: >"$work/echo.log"
perl -MIO::Socket::INET -e '
  my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "udp") or die;
  $| = 1;
  print "listening on 127.0.0.1:", $s->sockport, "\n";
  while (defined $s->recv(my $data, 65535)) {
    $s->send($data);
  }' >"$work/echo.log" 2>&1 </dev/null &
own $!
wait_for log_has echo 'listening on' || fail "no echo server"
echo=127.0.0.1:$(sed -n 's/.*://p' "$work/echo.log")
expect_run 0 "BIND" "$PROBE" "127.0.0.1:$proxy" bind
expect_run 0 "UDP" "$PROBE" -P hello "127.0.0.1:$proxy" udp "$echo"
ok "BIND and UDP ASSOCIATE, by the address of the dcsd"

kill -9 "$dcs1"
wait "$dcs1" 2>/dev/null
forget "$dcs1"
for n in 1 2 3 4; do
  get "request $n after a dcsd was killed"
done
wait_for is dcsd1 status DOWN || fail "that dcsd1 is down is not noticed"
is dcsd2 scur 4 || fail "the tunnels of the other one are $(stat dcsd2 scur)"
kill "$eight"
forget "$eight"
for n in 1 2 3 4; do
  get "request $n while a dcsd is down"
done
tunnel old
old=$tunnel
tunnel older
older=$tunnel
ok "a dcsd that is killed is not noticed by new clients"

start dcs1 "$DCSD" -c "$work/dcs1.conf" -l "$at1"
dcs1=$pid
name=tcp
wait_for is dcsd1 status UP || fail "that dcsd1 is back is not noticed"
wait_for is dcsd1 scur 0 || fail "dcsd1 still has clients that are gone"
wait_for is dcsd2 scur 2 || fail "dcsd2 has $(stat dcsd2 scur) clients, not 2"
tunnel first
first=$tunnel
tunnel second
wait_for is dcsd1 scur 2 ||
  fail "the dcsd that is back has $(stat dcsd1 scur) of 2 clients"
ok "it is used again when it is back"

kill "$dcs1"
wait_for is dcsd1 status DOWN || fail "that dcsd1 drains is not noticed"
get "request while a dcsd drains"
finish first "$first"
finish second "$tunnel"
finish old "$old"
finish older "$older"
expect_end "$dcs1" 0 "a dcsd that drains"
grep -q ' end=drained' "$work/dcs1.log" && fail "the tunnel was cut"
ok "a dcsd that drains keeps its tunnels, half-close goes through"
grep -q ' target=- ' "$work/dcs2.log" && fail "the checks fill the log of dcsd"
kill "$balancer"
wait_for gone "$balancer"
forget "$balancer"

# The other checks, as the comments of the sample say.
config probe '/^ *\(option tcp-check\|tcp-check \)/d
  s/^\( *\)#\(external-check\|insecure-fork-wanted\|option external-check\)/\1\2/'
balance probe
name=probe
wait_for is dcsd2 check_status PROCOK || fail "check-socks5 does not find dcsd2 well"
wait_for is dcsd1 status DOWN || fail "check-socks5 finds a dcsd well that is down"
start dcs1 "$DCSD" -c "$work/dcs1.conf" -l "$at1"
name=probe
wait_for is dcsd1 status UP || fail "check-socks5 does not find that dcsd1 is back"
get "curl"
ok "checks by check-socks5"
