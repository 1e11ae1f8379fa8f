#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What becomes of both daemons and of their lines when the logger is not there, hangs, is
# killed and comes back. (FAULTS G1 to G3.) The logger is one of our own, at /dev/log in a
# view of /dev that is gone with the last process here: that needs root.

if [ -z "${MOUNTS_OF_ITS_OWN:-}" ]; then
  why=
  for tool in unshare perl mount; do
    command -v "$tool" >/dev/null 2>&1 || why="no $tool"
  done
  [ "$(id -u)" -eq 0 ] || why="not root"
  if [ -z "$why" ] && ! unshare --mount true 2>/dev/null; then
    why="no mount namespace can be made"
  fi
  if [ -n "$why" ]; then
    printf 'SKIPPED: %s\n' "$why"
    exit 77
  fi
  MOUNTS_OF_ITS_OWN=yes
  export MOUNTS_OF_ITS_OWN
  exec unshare --mount --propagation private /bin/sh "$0" "$@"
fi

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

mkdir "$work/dev"
mount -t tmpfs none "$work/dev" 2>"$work/err" || skip "no tmpfs: $(cat "$work/err")"
if ! { cp -a /dev/null /dev/zero /dev/random /dev/urandom "$work/dev" &&
  mount --bind "$work/dev" /dev; } 2>"$work/err"; then
  umount "$work/dev"
  skip "no /dev of its own: $(cat "$work/err")"
fi
umount "$work/dev" # but not /dev

# What the loggers are told, one line each; "here" is of a logger that listens now.
told=$work/told.log
: >"$told"

count() {
  grep -c "$@" "$told"
}

start_logger() {
  loggers=$(count '^here$')
  perl -MSocket -e '
    socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die;
    unlink "/dev/log";
    bind($s, pack_sockaddr_un("/dev/log")) or die;
    $| = 1;
    print "here\n";
    my $text;
    print "$text\n" while defined recv($s, $text, 8192, 0);' >>"$told" </dev/null &
  logger=$!
  own "$logger"
  listens() { [ "$(count '^here$')" -gt "$loggers" ]; }
  wait_for listens || fail "the logger does not start"
}

end_logger() {
  kill -9 "$logger"
  wait "$logger" 2>/dev/null
  forget "$logger"
}

# tunnels N: so many clients one after the other, whose target or upstream refuses them:
# each is answered at once, and has a line in the log.
asked=0
tunnels() {
  perl -MIO::Socket::INET -e '
    my ($daemon, $port, $n) = @ARGV;
    alarm 120;
    for (1 .. $n) {
      my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port);
      $s || $!{ECONNRESET} or die "connect: $!\n";
      next if !$s;
      syswrite($s, "\5\1\0\5\1\0\1\177\0\0\1\0\11") if $daemon eq "dcsd";
      1 while sysread($s, my $answer, 100);
    }' "$daemon" "$port" "$1" || fail "$daemon: clients must wait for the logger"
  asked=$((asked + $1))
}

lines() {
  count ': tunnel id='
}
lost() {
  sed -n 's/.*: log: \([0-9]*\) messages lost$/\1/p' "$told" |
    awk '{ n += $1 } END { print n + 0 }'
}
# Every tunnel has its line, or is among those that are told as lost.
accounted() {
  [ $(($(lines) + $(lost))) -ge "$asked" ]
}
expect_all() {
  wait_for accounted || fail "$daemon: $asked tunnels, $(lines) lines, $(lost) lost: $1"
  [ $(($(lines) + $(lost))) -eq "$asked" ] || fail "$daemon: too many lines: $1"
}

for daemon in dcsd pppd-socks; do
  if [ "$daemon" = dcsd ]; then
    program=$DCSD
    echo 'listen = "127.0.0.1:0";' >"$work/conf"
  else
    program=$PPPD_SOCKS
    echo 'upstreams = ( { address = "127.0.0.1:9"; } );
      routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:9"; } );' >"$work/conf"
  fi
  : >"$told"
  asked=0
  rm -f /dev/log

  # G1
  expect_run 0 "$daemon without a logger" "$program" -c "$work/conf" -p "$work/pid"
  pid=$(cat "$work/pid")
  own "$pid"
  port=$(ports_of "$pid")
  tunnels 50
  start_logger
  expect_all "the logger was not there at the start"
  [ "$(lost)" -eq 0 ] || fail "$daemon: lines are lost that would fit the queue"
  [ "$(count " $daemon\[$pid\]: $daemon .* ready\$")" -eq 1 ] ||
    fail "$daemon: what it said at its start is lost"
  [ "$(count '^<30>[A-Z][a-z][a-z] [ 1-3][0-9] [0-9:]* '"$daemon\[$pid\]: tunnel")" \
    -eq 50 ] || fail "$daemon: its lines are not as syslog wants them"
  ok "$daemon: a logger that starts later gets every line"

  # G2
  kill -STOP "$logger"
  tunnels 600
  [ "$(lines)" -eq 50 ] || fail "the logger did not stop: this tests nothing"
  kill -CONT "$logger"
  expect_all "the logger went on"
  [ "$(lost)" -eq 0 ] || fail "$daemon: lines are lost that would fit the queue"
  ok "$daemon: a logger that hangs holds no tunnel up, and then gets every line"

  kill -STOP "$logger"
  tunnels 3000
  kill -CONT "$logger"
  expect_all "the logger went on, and more had come than the queue holds"
  [ "$(lost)" -gt 0 ] || fail "$daemon: the queue has no bounds"
  ok "$daemon: lines that do not fit the queue are counted, and told: $(lost)"

  # G3
  before=$(lost)
  for more in 1 2; do
    end_logger
    tunnels 300
    start_logger
    tunnels 10
    expect_all "the logger was started anew, $more"
  done
  [ "$(lost)" -eq "$before" ] || fail "$daemon: lines are lost by a logger's restart"
  ok "$daemon: a logger that is killed and comes back gets every line"

  kill -STOP "$logger"
  tunnels 300
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: it does not end while the logger hangs"
  forget "$pid"
  [ -e "$work/pid" ] && fail "$daemon: its pidfile stays"
  end_logger
  expect_run 0 "$daemon without a logger" "$program" -c "$work/conf" -p "$work/pid"
  pid=$(cat "$work/pid")
  own "$pid"
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: it does not end without a logger"
  forget "$pid"
  ok "$daemon: it ends, whether the logger hangs or is not there"
done
