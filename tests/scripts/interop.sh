#!/bin/sh
# SPDX-License-Identifier: ISC
#
# pppd-socks through SOCKS5 servers that others wrote: microsocks, dante and ssh -D, those
# that are installed. With each kind of handshake, by address and by name, 1 MiB both
# ways, and to a target that refuses. What is said to a server is seen by a relay between
# the two, which counts turns: a server that cannot take a pipelined handshake must be
# spoken to in the standard way from its second client on.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"
# shellcheck source=peers.sh
. "$top/tests/scripts/peers.sh"

DELAY=$(absolute "${DELAY:-./tests/system/delay}")
[ -x "$DELAY" ] || skip "there is no $DELAY"
for tool in curl perl; do
  has "$tool" || skip "no $tool"
done
# A name that leads to the target by its first address: some servers try no other.
localhost=
case $(getent ahosts localhost 2>/dev/null) in
127.0.0.1[[:space:]]*) localhost=localhost ;;
*) skip_part "targets by name: localhost is not 127.0.0.1 first" ;;
esac

# start_echo: $echo is its port. Says nothing that was not said to it.
start_echo() {
  : >"$work/echo.log"
  perl -MIO::Socket::INET -e '
    my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 8) or die "$!";
    $| = 1;
    print "echo: listening on 127.0.0.1:", $l->sockport, "\n";
    $SIG{CHLD} = "IGNORE";
    while (my $s = $l->accept) {
      next if fork;
      alarm 60;
      while (sysread($s, my $bytes, 65536)) {
        for (my $sent = 0; $sent < length $bytes;) {
          $sent += syswrite($s, $bytes, 65536, $sent) // die "$!";
        }
      }
      exit;
    }' >"$work/echo.log" 2>&1 </dev/null &
  own $!
  wait_for log_has echo 'listening on' || fail "the echo did not start"
  echo=$(port echo 1)
}

# pass PORT: 1 MiB to the echo and back, and only then an end: not all servers know that
# there can be one in one direction.
pass() {
  perl -MDigest::MD5=md5,md5_hex -MIO::Socket::INET -e '
    my ($port, $patience) = @ARGV;
    alarm $patience;
    my $all = join "", map { md5($_) } 1 .. 65536;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die "$!";
    if (!fork) {
      print $s $all;
      $s->flush;
      exit;
    }
    read($s, my $back, length $all);
    print md5_hex($back) eq md5_hex($all) ? "same" : "other bytes: " . length $back;' \
    "$1" "$patience_s" 2>&1
}

# start_chain NAME PORT UPSTREAM: pppd-socks, with a relay before the server at PORT.
start_chain() {
  : >"$work/relay.log"
  "$DELAY" 0 "127.0.0.1:$2" >"$work/relay.log" 2>&1 </dev/null &
  relay_pid=$!
  own "$relay_pid"
  wait_for log_has relay 'listening on' || fail "the relay did not start"
  cat >"$work/ppp.conf" <<END
upstreams = ( { name = "$1"; address = "127.0.0.1:$(port relay 1)"; $3 } );
routes = (
  { listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; },
  { listen = "127.0.0.1:0"; target = "${localhost:-127.0.0.1}:$target"; },
  { listen = "127.0.0.1:0"; target = "127.0.0.1:$echo"; },
  { listen = "127.0.0.1:0"; target = "127.0.0.1:1"; } );
END
  start ppp "$PPPD_SOCKS" -c "$work/ppp.conf"
  ppp_pid=$pid
}

# fetch WHAT N: by the n-th route.
fetch() {
  expect_run 0 "$1" curl -sS -m "$patience_s" "http://127.0.0.1:$(port ppp "$2")/by/curl"
  expect_text out "You asked for /by/curl" "$1"
}

# turns LINES: of the connections that the relay has seen the end of behind that line.
turns() {
  sed -n "1,$1d; s/.* end turns //p" "$work/relay.log" | tr '\n' ' '
}
has_turns() {
  [ -n "$(turns "$1")" ]
}

# expect_turns WHAT TURNS: the next client costs one connection with so many turns.
expect_turns() {
  lines=$(wc -l <"$work/relay.log")
  fetch "$1" 1
  wait_for has_turns "$lines" || fail "$1: the connection does not end"
  [ "$(turns "$lines")" = "$2 " ] || fail "$1: $(turns "$lines")turns instead of $2"
}

# expect_refused WHAT SEEN: a client of a target that refuses. Port 1 is closed. When a
# server says success before it has connected, all that is left to see is an end.
expect_refused() {
  run curl -sS -m "$patience_s" "http://127.0.0.1:$(port ppp 4)/"
  case $run_status in
  7|55|56) seen=reset ;;
  52) seen=end ;;
  *) fail "$1: a closed port: exit status $run_status of curl" ;;
  esac
  case " $2 " in
  *" $seen "*) ;;
  *) fail "$1: a closed port is seen as $seen" ;;
  esac
}

notes() {
  log_count ppp 'does not take a pipelined handshake'
}

# speak NAME PORT HANDSHAKE TURNS NOTES SEEN [LOGIN]
speak() {
  label="$1, $3"
  start_chain "$1" "$2" "handshake = \"$3\"; ${7:-}"
  fetch "$label, the first client" 1
  [ "$(notes)" -eq "$5" ] || fail "$label: $(notes) notes of it instead of $5"
  expect_turns "$label, the second client" "$4"
  [ -z "$localhost" ] || fetch "$label, by name" 2
  same=$(pass "$(port ppp 3)")
  [ "$same" = same ] || fail "$label, 1 MiB both ways: $same"
  expect_refused "$label" "$6"
  fetch "$label, behind a refusal" 1
  [ "$(notes)" -eq "$5" ] || fail "$label: $(notes) notes of it in the end"
  stop "$ppp_pid"
  finish "$relay_pid" "the relay"
  ok "$label: $4 turns, and a refusal is seen as $seen"
}

# through NAME PORT STANDARD PIPELINED SEEN [LOGIN]: the turns of an HTTP request with
# each handshake. No fewer with the second: then it does not work, and that is told.
through() {
  told=0
  [ "$4" -lt "$3" ] || told=1
  speak "$1" "$2" standard "$3" 0 "$5" "${6:-}"
  speak "$1" "$2" pipelined "$4" "$told" "$5" "${6:-}"
  tried="$tried $1"
}

# It reads once for each message, and throws away what comes behind it.
with_microsocks() {
  launch_microsocks || fail "microsocks has ended"
  through microsocks "$at" 3 3 reset
  finish "$server" microsocks
  launch_microsocks -u ann -P secret || fail "microsocks has ended"
  printf 'secret\n' >"$work/secret"
  chmod 600 "$work/secret"
  through microsocks-password "$at" 4 4 reset \
    "username = \"ann\"; password_file = \"$work/secret\";"
  finish "$server" microsocks
}

with_dante() {
  launch_dante || fail "dante has ended"
  through dante "$at" 3 2 reset
  finish "$server" dante
}

with_ssh() {
  launch_ssh || return 1
  # It promises success before it has connected, and sometimes is too late even for that.
  through ssh-D "$at" 3 2 'reset end'
  finish "$server" ssh
  finish "$sshd_pid" sshd
}

start_target
start_echo
tried=
if has microsocks; then
  with_microsocks
else
  skip_part "microsocks is not there"
fi

if has_dante; then
  with_dante
else
  skip_part "dante is not there, or this is not root"
fi

if has_ssh; then
  with_ssh || skip_part "no login by ssh: $why"
else
  skip_part "ssh -D: ssh, ssh-keygen or sshd is not there"
fi
[ -n "$tried" ] || skip "none of microsocks, dante and ssh -D is to be had"
