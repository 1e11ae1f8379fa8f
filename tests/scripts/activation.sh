#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What systemd does for both daemons, done by perl: sockets that are open before they
# start, and a manager that is told how they are.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which opens the sockets and is the manager"
[ -d /proc/self/fd ] || skip "no /proc, which tells who has a socket"
TUNNELCTL=$(absolute "${TUNNELCTL:-./tunnelctl}")
collect_reports

# activate TEMPLATE CONF KIND... -- PROGRAM ARGUMENT...: runs it with a socket for each
# KIND: tcp, dual (IPv6 that takes IPv4 as well), udp; or low, a TCP port that only root
# can bind, and then as nobody. NAME=KIND: with that name. What stands in the template as
# @1@, @2@ are their ports; CONF.ports has port and inode of each.
cat >"$work/activate.pl" <<'END'
use strict;
use Fcntl;
use IO::Socket::IP;
use POSIX ();
my ($template, $conf) = splice @ARGV, 0, 2;
my (@sockets, @names);
sub open_one {
  my ($kind, $port) = @_;
  return IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port,
    Type => SOCK_DGRAM) if $kind eq 'udp';
  return IO::Socket::IP->new(LocalHost => $kind eq 'dual' ? '::' : '127.0.0.1',
    LocalPort => $port, V6Only => 0, Listen => 128);
}
while ((my $spec = shift) ne '--') {
  my ($kind, $name) = reverse split /=/, $spec;
  my $s;
  for (1 .. 50) {
    $s //= open_one($kind, $kind eq 'low' ? 600 + int rand 400 : 0);
  }
  $s or print STDERR "activate: no socket\n" and exit 77;
  push @sockets, $s;
  push @names, $name // '';
}
open my $in, '<', $template or die;
my $text = join '', <$in>;
$text =~ s/\@(\d)\@/$sockets[$1 - 1]->sockport/ge;
open my $out, '>', $conf or die;
print $out $text;
close $out or die;
open my $ports, '>', "$conf.ports" or die;
print $ports $_->sockport, ' ', (stat $_)[1], "\n" for @sockets;
close $ports or die;
# First out of the way of each other, then to their numbers.
my @fds = map { fcntl($_, F_DUPFD, 100) // die } @sockets;
POSIX::dup2($fds[$_], 3 + $_) // die for 0 .. $#fds;
if ($ENV{AS}) {
  $) = $( = $ENV{AS_GROUP};
  POSIX::setuid($ENV{AS}) or die;
}
$ENV{LISTEN_PID} = $$ unless $ENV{LISTEN_PID};
$ENV{LISTEN_FDS} = @fds unless $ENV{LISTEN_FDS};
$ENV{LISTEN_FDNAMES} = join ':', @names;
exec @ARGV or die;
END

# program DAEMON: what it is.
program() {
  case $1 in
  dcsd) printf '%s\n' "$DCSD" ;;
  *) printf '%s\n' "$PPPD_SOCKS" ;;
  esac
}

# activated NAME DAEMON KIND... : with $work/NAME.in as the template.
activated() {
  name=$1 daemon=$2
  shift 2
  start "$name" perl "$work/activate.pl" "$work/$name.in" "$work/$name.conf" "$@" -- \
    "$(program "$daemon")" -c "$work/$name.conf"
}

# nth NAME N: port and inode of the n-th socket, in $port and $inode.
nth() {
  read -r port inode <<END
$(sed -n "$2p" "$work/$1.conf.ports")
END
}

# has_socket PID INODE
has_socket() {
  for fd in "/proc/$1/fd"/*; do
    [ "$(readlink "$fd")" = "socket:[$2]" ] && return
  done
  return 1
}

# connects ADDRESS PORT: somebody takes the connection there.
connects() {
  perl -MIO::Socket::IP -e 'exit !IO::Socket::IP->new(PeerHost => $ARGV[0],
    PeerPort => $ARGV[1], Type => SOCK_STREAM)' "$1" "$2"
}

outcomes() {
  grep -Ec '(reload|upgrade): (done|failed)' "$work/$1.log"
}
more_outcomes() {
  [ "$(outcomes "$1")" -gt "$2" ] || gone "$pid"
}
# signal NAME SIGNAL WANT: ends with that.
signal() {
  before=$(outcomes "$1")
  kill -"$2" "$pid"
  wait_for more_outcomes "$1" "$before" || fail "$1: $2: it does not end"
  grep -E '(reload|upgrade): (done|failed)' "$work/$1.log" | tail -n 1 | grep -q "$3" ||
    fail "$1: $2: not $3"
}

# successor NAME: $pid is who serves since the upgrade; $first has ended.
successor() {
  first=$pid
  pid=$(sed -n 's/.*upgrade: done, process \([0-9]*\) serves.*/\1/p' "$work/$1.log")
  own "$pid"
  expect_end "$first" 0 "$1: the first process"
}
end_successor() {
  kill "$pid"
  wait_for gone "$pid" || fail "the second process does not end"
  forget "$pid"
}

# A socket that is there stays the same, over a reload and an upgrade.
one_socket() {
  activated one "$1" tcp
  nth one 1
  has_socket "$pid" "$inode" || fail "$1: it does not have the socket"
  wait_for log_has one "listening on 127.0.0.1:$port" ||
    fail "$1: it does not tell the socket"
  ask_load "dial $2 127.0.0.1:$port"
  ask_load "hold $2 127.0.0.1:$port"
  signal one HUP 'reload: done'
  has_socket "$pid" "$inode" || fail "$1: after a reload it is another socket"
  signal one USR2 'upgrade: done'
  first=$pid
  pid=$(sed -n 's/.*upgrade: done, process \([0-9]*\) serves.*/\1/p' "$work/one.log")
  own "$pid"
  has_socket "$pid" "$inode" || fail "$1: after an upgrade it is another socket"
  ask_load check
  stop_load 8 0
  expect_end "$first" 0 "$1: the first process"
  end_successor
  ok "$1: serves at a socket that was there, also after a reload and an upgrade"
}

# In place of *:PORT, which would be two sockets.
dual_socket() {
  if ! connects ::1 1 && [ ! -e /proc/net/if_inet6 ]; then
    skip_part "no IPv6 here"
    return
  fi
  activated dual "$1" dual
  nth dual 1
  has_socket "$pid" "$inode" || fail "$1: it does not have the socket for both"
  connects 127.0.0.1 "$port" || fail "$1: it does not serve IPv4"
  connects ::1 "$port" || fail "$1: it does not serve IPv6"
  log_has dual inherited && fail "$1: a socket for both is not wanted"
  stop "$pid"
  ok "$1: one socket for IPv6 and IPv4"
}

low_port() {
  is_root || {
    skip_part "not root: no port below 1024"
    return
  }
  AS=$(id -u nobody) AS_GROUP=$(id -g nobody)
  export AS AS_GROUP
  activated low "$1" low
  unset AS AS_GROUP
  nth low 1
  connects 127.0.0.1 "$port" || fail "$1: a port below 1024 is not served"
  signal low HUP 'reload: done'
  signal low USR2 'upgrade: done'
  successor low
  connects 127.0.0.1 "$port" || fail "$1: a port below 1024 is not served any more"
  end_successor
  ok "$1: a port below 1024, as a user who cannot bind it"
}

unwanted() {
  activated unwanted "$1" tcp web=tcp
  nth unwanted 2
  wait_for log_has unwanted \
    "127.0.0.1:$port, web: inherited, and nothing of the configuration" ||
    fail "$1: a socket that nothing wants is not told"
  has_socket "$pid" "$inode" && fail "$1: a socket that nothing wants stays open"
  stop "$pid"
  LISTEN_PID=1
  export LISTEN_PID
  activated foreign "$1" tcp
  nth foreign 1
  has_socket "$pid" "$inode" && fail "$1: it took a socket that is meant for another"
  connects 127.0.0.1 "$port" || fail "$1: it does not serve"
  stop "$pid"
  unset LISTEN_PID
  LISTEN_FDS=many
  export LISTEN_FDS
  expect_run 1 "$1: no number" perl "$work/activate.pl" "$work/one.in" "$work/no.conf" \
    tcp -- "$(program "$1")" -f -c "$work/no.conf"
  expect_text err 'LISTEN_FDS is not a number' "$1: no number"
  unset LISTEN_FDS
  ok "$1: sockets that nothing wants, that are another's, or none"
}

udp_socket() {
  perl -MIO::Socket::IP -e '
    my $s = IO::Socket::IP->new(LocalHost => "127.0.0.1", Type => SOCK_DGRAM) or die;
    $| = 1;
    print "listening on 127.0.0.1:", $s->sockport, "\n";
    while (defined(my $from = $s->recv(my $data, 2048))) { $s->send($data, 0, $from) }
    ' >"$work/udp.log" 2>&1 </dev/null &
  own $!
  wait_for log_has udp listening || fail "no echo of datagrams"
  printf 'upstreams = ( { address = "127.0.0.1:%s"; } );
routes = ( { name = "udp"; listen = "127.0.0.1:@1@"; protocol = "udp";
             target = "127.0.0.1:%s"; } );\n' "$upstream" \
    "$(sed 's/.*://' "$work/udp.log")" >"$work/dns.in"
  activated dns pppd-socks udp
  nth dns 1
  has_socket "$pid" "$inode" || fail "it does not have the socket for datagrams"
  echoes || fail "no datagram comes back"
  signal dns USR2 'upgrade: done'
  successor dns
  has_socket "$pid" "$inode" || fail "after an upgrade it is another socket"
  echoes || fail "no datagram comes back after an upgrade"
  end_successor
  ok "pppd-socks: a UDP route at a socket that was there"
}

# echoes: a datagram to $port comes back; one may be lost.
echoes() {
  perl -MIO::Socket::IP -e '
    my ($port, $patience) = @ARGV;
    my $s = IO::Socket::IP->new(PeerHost => "127.0.0.1", PeerPort => $port,
      Type => SOCK_DGRAM) or die;
    for (1 .. $patience) {
      $s->send("hello");
      vec(my $set = "", fileno $s, 1) = 1;
      next unless select $set, undef, undef, 1;
      $s->recv(my $data, 100) // next;
      exit $data ne "hello";
    }
    exit 1' "$port" "$patience_s"
}

# ---- the manager ----

# start_manager NAME ADDRESS: its log has the messages, each a line, the lines of one with
# | between; @NAME is an address without a file.
start_manager() {
  : >"$work/$1.log"
  perl -MIO::Socket::UNIX -e '
    my $at = shift =~ s/^@/\0/r;
    my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $at) or die "$!";
    $| = 1;
    print "manager\n";
    while (defined $s->recv(my $text, 4096)) {
      $text =~ tr/\n/|/;
      print "$text\n";
    }' "$2" >"$work/$1.log" 2>&1 </dev/null &
  own $!
  wait_for log_has "$1" manager || fail "the manager does not start"
  NOTIFY_SOCKET=$2
  export NOTIFY_SOCKET
}

# expect_told NAME WHAT LINE...: so far, numbers as N but for those of processes.
is_told() {
  grep -v '^manager\|^STATUS=' "$work/$1.log" | sed 's/\(_USEC=\)[0-9]*$/\1N/' |
    cmp -s - "$work/want"
}
expect_told() {
  told_by=$1 what=$2
  shift 2
  printf '%s\n' "$@" >"$work/want"
  wait_for is_told "$told_by" || fail "$what: the manager is told other things"
}

manager() {
  reloading='RELOADING=1|MONOTONIC_USEC=N'
  start_manager "$1-told" "$2"
  sed 's/@1@/0/' "$work/one.in" >"$work/told.conf"
  start told "$(program "$1")" -c "$work/told.conf"
  expect_told "$1-told" "start" READY=1
  signal told HUP 'reload: done'
  expect_told "$1-told" "reload" READY=1 "$reloading" READY=1
  cp "$work/told.conf" "$work/good.conf"
  printf 'no_such_key = 1;\n' >>"$work/told.conf"
  signal told HUP 'reload: failed'
  expect_told "$1-told" "a reload that fails" READY=1 "$reloading" READY=1 \
    "$reloading" READY=1
  signal told USR2 'upgrade: failed'
  mv "$work/good.conf" "$work/told.conf"
  signal told USR2 'upgrade: done'
  successor told
  expect_told "$1-told" "upgrade" READY=1 "$reloading" READY=1 "$reloading" READY=1 \
    "MAINPID=$pid" READY=1
  end_successor
  expect_told "$1-told" "end" READY=1 "$reloading" READY=1 "$reloading" READY=1 \
    "MAINPID=$pid" READY=1 STOPPING=1
  unset NOTIFY_SOCKET
  ok "$1: the manager is told of start, reload, upgrade and end"
}

# all_of DAEMON HOW ADDRESS: the last of the manager.
all_of() {
  sed 's/127.0.0.1:@1@/*:@1@/' "$work/one.in" >"$work/dual.in"
  for each in low unwanted foreign; do
    cp "$work/one.in" "$work/$each.in"
  done
  one_socket "$1" "$2"
  dual_socket "$1"
  low_port "$1"
  unwanted "$1"
  manager "$1" "$3"
}

start_load
printf 'listen = "127.0.0.1:@1@";\nrules = ( { name = "all"; action = "allow"; } );\n' \
  >"$work/one.in"
all_of dcsd socks "$work/notify"

printf 'listen = "127.0.0.1:0";\n' >"$work/dcsd.conf"
start dcsd "$DCSD" -c "$work/dcsd.conf"
dcsd=$pid
upstream=$(port dcsd 1)
start_load
printf 'upstreams = ( { address = "127.0.0.1:%s"; } );
routes = ( { name = "a"; listen = "127.0.0.1:@1@"; target = "127.0.0.1:%s"; } );\n' \
  "$upstream" "$echo" >"$work/one.in"
all_of pppd-socks plain "@$work/notify"
udp_socket
stop "$dcsd"
expect_no_report
