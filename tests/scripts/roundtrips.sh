#!/bin/sh
# SPDX-License-Identifier: ISC
#
# roundtrips.sh [--table]: how many round trips between pppd-socks and dcsd a client waits
# for, in each way to speak to an upstream, and how long that takes over 20 ms of cable.
# The count is what must be right; the times are told, and nothing hangs on them. With
# --table there are more connections, and only the table, as it stands in the README.
#
#   client --> pppd-socks --> delay --> dcsd --> HTTP server

# shellcheck disable=SC2016 # the dollars are for perl and awk
:
# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

DELAY=$(absolute "${DELAY:-./tests/system/delay}")
DCSD_PASSWD=$(absolute "${DCSD_PASSWD:-./dcsd-passwd}")
has perl || skip "no perl, which is the client and the target here"
[ -x "$DELAY" ] || skip "there is no $DELAY"
ms=20
spare=4
table=$work/table
n=3
quiet=
if [ "${1:-}" = --table ]; then
  n=25
  quiet=yes
fi

# get PORT: prints the ms until the first byte of the answer. Reads all of it.
get() {
  perl -MIO::Socket::INET -MTime::HiRes=time -e '
    my ($port, $patience) = @ARGV;
    alarm $patience;
    my $start = time;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die;
    syswrite($s, "GET / HTTP/1.0\r\n\r\n");
    sysread($s, my $all, 65536) or die "no answer\n";
    printf "%.1f\n", 1000 * (time - $start);
    1 while sysread($s, $all, 65536, length $all);
    $all =~ /^HTTP.* 200 .*Hello from the target/s or die "not the answer\n";' \
    "$1" "$patience_s" 2>>"$work/client.log"
}

# start_delay PORT: $relay is the port of a relay to it, and its log is what it counts.
start_delay() {
  : >"$work/delay.log"
  "$DELAY" "$ms" "127.0.0.1:$1" >"$work/delay.log" 2>&1 </dev/null &
  delay_pid=$!
  own "$delay_pid"
  wait_for log_has delay 'listening on' || fail "the relay did not start"
  relay=$(port delay 1)
}

stop_delay() {
  kill "$delay_pid"
  wait "$delay_pid" 2>/dev/null
  forget "$delay_pid"
}

# is_ready N TURNS: n connections wait for a request: the answer to their last turn, the
# given one, has come.
is_ready() {
  [ "$(awk -v turns="$2" '
    $2 == "answer" && $3 == turns { ready[$1] = 1 }
    $2 == "turn" && $3 > turns || $2 == "end" { delete ready[$1] }
    END { for (each in ready) n++; print n + 0 }' "$work/delay.log")" -eq "$1" ]
}

# behind LINES: what the relay has said since then.
behind() {
  sed "1,$1d" "$work/delay.log"
}
one_is_over() {
  behind "$1" | grep -q ' end '
}

# trips LINES: the round trips of the connection that has ended since then: one if it was
# opened, and one for each turn, of which the last is the payload.
trips() {
  behind "$1" >"$work/behind"
  awk 'NR == FNR { if ($2 == "end") { which = $1; ends++ } next }
    $1 == which && ($2 == "open" || $2 == "turn") { trips++ }
    END { print (ends == 1 ? trips - 1 : "of " ends " connections") }' \
    "$work/behind" "$work/behind"
}

# measure WHAT PORT SPARES TURNS TRIPS: by n connections, one after another; each waits
# until the spares are there, which have had so many turns.
measure() {
  what=$1
  : >"$work/first"
  i=0
  while [ "$i" -lt "$n" ]; do
    i=$((i + 1))
    wait_for is_ready "$3" "$4" || fail "$what: there are no $3 spares"
    lines=$(wc -l <"$work/delay.log")
    get "$2" >>"$work/first" || fail "$what: the client is not served"
    wait_for one_is_over "$lines" || fail "$what: the connection does not end"
    got=$(trips "$lines")
    [ "$got" = "$5" ] || fail "$what: $got round trips instead of $5"
  done
  [ -n "$quiet" ] || ok "$what: round trips: $5"
}

# median: of the numbers on stdin.
median() {
  sort -n | awk '{ all[NR] = $1 }
    END { print (NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2) }'
}

# add_row WHAT TRIPS FILE: the file has how long a client waited for its tunnel.
add_row() {
  if [ -s "$3" ]; then
    took=$(median <"$3")
    share=$(echo "$took $((2 * ms))" | awk '{ printf "%.2f", $1 / $2 }')
  else
    took=- share=-
  fi
  printf '%-22s %11s %14s %11s %13.0f\n' "$1" "$2" "$took" "$share" \
    "$(median <"$work/first")" >>"$table"
}

# dials: the ms that each client waited for its tunnel, by the log.
dials() {
  sed -n 's/.* dial=\([0-9.]*\) .* end=.*/\1/p' "$work/ppp.log" |
    awk '{ printf "%.0f\n", 1000 * $1 }'
}
all_dials() {
  [ "$(dials | wc -l)" -eq "$n" ]
}

# chain WHAT DCSD-PORT UPSTREAM SPARES TURNS TRIPS: through both daemons; UPSTREAM is what
# the configuration says of it.
chain() {
  start_delay "$2"
  cat >"$work/ppp.conf" <<END
upstreams = ( { address = "127.0.0.1:$relay"; $3 } );
routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; } );
END
  start ppp "$PPPD_SOCKS" -c "$work/ppp.conf"
  ppp_pid=$pid
  measure "$1" "$(port ppp 1)" "$4" "$5" "$6"
  wait_for all_dials || fail "$1: not all tunnels are in the log"
  dials >"$work/dial"
  add_row "$1" "$6" "$work/dial"
  stop "$ppp_pid"
  stop_delay
}

start_target
printf 'secret\n' >"$work/secret"
chmod 600 "$work/secret"
"$DCSD_PASSWD" "$work/users" ppp <"$work/secret" || fail "no users file"
printf 'listen = "127.0.0.1:0";\n' >"$work/open.conf"
start open "$DCSD" -c "$work/open.conf"
open=$(port open 1)
cat >"$work/closed.conf" <<END
listen = "127.0.0.1:0";
auth: { methods = "password"; users = "$work/users"; };
END
start closed "$DCSD" -c "$work/closed.conf"
closed=$(port closed 1)
login="username = \"ppp\"; password_file = \"$work/secret\";"

{
  printf '%-22s %11s %26s %13s\n' '' 'round trips' 'until the tunnel stands' \
    'first byte'
  printf '%-22s %11s %14s %11s %13s\n' "$n clients each" counted 'ms, median' \
    "of $((2 * ms)) ms" 'ms, median'
} >"$table"

start_delay "$target"
measure "no proxy at all" "$relay" 0 0 1
: >"$work/dial"
add_row "no proxy at all" 1 "$work/dial"
stop_delay

chain "standard" "$open" '' 0 0 3
chain "standard, password" "$closed" "$login" 0 0 4
chain "pipelined" "$open" 'handshake = "pipelined";' 0 0 2
chain "pipelined, password" "$closed" "handshake = \"pipelined\"; $login" 0 0 2
chain "spare" "$open" "spare = $spare;" "$spare" 1 1
chain "spare, password" "$closed" "spare = $spare; $login" "$spare" 2 1

sed 's/^/    /; s/ *$//' "$table"
