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

DELAY=$(absolute "${DELAY:-./tests/system/delay}")
[ -x "$DELAY" ] || skip "there is no $DELAY"
for tool in curl perl; do
  has "$tool" || skip "no $tool"
done
PATH=$PATH:/usr/sbin # danted and sshd

# A name that leads to the target by its first address: some servers try no other.
localhost=
case $(getent ahosts localhost 2>/dev/null) in
127.0.0.1[[:space:]]*) localhost=localhost ;;
*) skip_part "targets by name: localhost is not 127.0.0.1 first" ;;
esac

# A port that is free, and will most likely stay so for a moment.
free_port() {
  perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

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

accepts() {
  perl -MIO::Socket::INET -e '
    exit !IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift)' "$1"
}
accepts_or_gone() {
  accepts "$1" || gone "$2"
}

# launch NAME PORT COMMAND...: a server; $pid. False, and its log has why: it ended.
launch() {
  name_of=$1
  at=$2
  shift 2
  "$@" >"$work/$name_of.log" 2>&1 </dev/null &
  pid=$!
  own "$pid"
  wait_for accepts_or_gone "$at" "$pid" || fail "$name_of does not listen"
  ! gone "$pid"
}

finish() {
  kill "$1" 2>/dev/null
  wait_for gone "$1" || fail "$2 does not end"
  wait "$1" 2>/dev/null
  forget "$1"
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
  at=$(free_port)
  launch microsocks "$at" microsocks -i 127.0.0.1 -p "$at" || fail "microsocks has ended"
  server=$pid
  through microsocks "$at" 3 3 reset
  finish "$server" microsocks
  at=$(free_port)
  launch microsocks "$at" microsocks -i 127.0.0.1 -p "$at" -u ann -P secret ||
    fail "microsocks has ended"
  server=$pid
  printf 'secret\n' >"$work/secret"
  chmod 600 "$work/secret"
  through microsocks-password "$at" 4 4 reset \
    "username = \"ann\"; password_file = \"$work/secret\";"
  finish "$server" microsocks
}

with_dante() {
  at=$(free_port)
  cat >"$work/dante.conf" <<END
logoutput: stderr
internal: 127.0.0.1 port = $at
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {
  from: 127.0.0.0/8 to: 127.0.0.0/8
}
socks pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: connect
}
END
  launch dante "$at" "$1" -f "$work/dante.conf" -p "$work/dante.pid" ||
    fail "$1 has ended"
  server=$pid
  through dante "$at" 3 2 reset
  finish "$server" "$1"
}

# A folder that sshd wants to have when it is root, where nobody else sees it.
run_sshd() {
  if is_root && [ ! -d /run/sshd ]; then
    set -- unshare --mount --propagation private /bin/sh -c '
      mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' sh "$@"
  fi
  launch sshd "$sshd_at" "$@"
}

# ssh -D, to an sshd that is ours alone. Returns 1: that cannot be had, and $why.
with_ssh() {
  sshd_at=$(free_port)
  for key in host user; do
    ssh-keygen -q -t ed25519 -N '' -f "$work/$key" >"$work/out" 2>"$work/err" ||
      fail "ssh-keygen makes no key"
  done
  cat >"$work/sshd.conf" <<END
ListenAddress 127.0.0.1:$sshd_at
HostKey $work/host
AuthorizedKeysFile $work/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
END
  run_sshd "$(command -v sshd)" -D -e -f "$work/sshd.conf" || {
    why=$(tail -n 1 "$work/sshd.log")
    return 1
  }
  sshd_pid=$pid
  at=$(free_port)
  launch ssh "$at" ssh -F /dev/null -i "$work/user" -p "$sshd_at" -N \
    -D "127.0.0.1:$at" -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o "UserKnownHostsFile=$work/known" -o ExitOnForwardFailure=yes \
    "$(id -un)@127.0.0.1" || {
    why=$(tail -n 1 "$work/ssh.log")
    return 1
  }
  server=$pid
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

dante=
for each in danted sockd; do
  has "$each" && dante=$each
done
if [ -n "$dante" ] && is_root; then
  with_dante "$dante"
else
  skip_part "dante is not there, or this is not root"
fi

if has ssh && has ssh-keygen && has sshd; then
  with_ssh || skip_part "no login by ssh: $why"
else
  skip_part "ssh -D: ssh, ssh-keygen or sshd is not there"
fi
[ -n "$tried" ] || skip "none of microsocks, dante and ssh -D is to be had"
