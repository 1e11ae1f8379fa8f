#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tunnelctl against a small server of its own: what it sends and prints, its exit
# statuses, and top, as plain text and on a terminal.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

TUNNELCTL=$(absolute "${TUNNELCTL:-./tunnelctl}")
[ -x "$TUNNELCTL" ] || fail "there is no $TUNNELCTL"
has perl || skip "no perl"
unset TUNNELCTL_SOCKET
TERM=xterm
TZ=UTC
export TERM TZ
ctl=$work/d.ctl

# One command for each client, as the daemons do it. With each `tunnels', b gets 1 MB.
cat >"$work/server.pl" <<'END'
use strict;
use IO::Socket::UNIX;
$SIG{PIPE} = 'IGNORE';
$| = 1;
my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => shift, Listen => 16)
  or die "$!";
print "listening\n";
my $n = 0;
my %say = (
  status => sub { map "$_\n", 'name dcsd', "asked $n", 'state serving', 'OK' },
  tunnels => sub {
    my $b = 1000000 * $n++ + 5;
    map "tunnel $_\n",
      "id=x-a client=10.1.0.1:4711 user=ann target=www.example.com:80 up=9000 down=100"
      . " time=9.000 idle=0.5",
      "id=x-b client=10.2.0.1:4712 user=bob target=192.0.2.1:443 up=$b down=70"
      . " time=100.000 idle=3723",
      "id=x-c client=[2001:db8::1]:4713 user=- target=example.com:22 up=10 down=9"
      . " time=86400.000 idle=0",
      map "id=y-$_ client=10.3.0.$_:1 user=zoe target=t$_:1 up=0 down=0 time=60.000"
      . " idle=60", 10 .. 39;
  },
  many => sub { map "line $_\n", 1 .. 200000 },
  no => sub { "some data\n", "ERROR not today\n" },
  ok => sub { "OK\n", "ERROR no\n", "OK\n" },
  cut => sub { "some data\n" },
  half => sub { "some data\nOK?" },
  empty => sub { () },
);
while (my $client = $server->accept) {
  my $line = <$client> // '';
  print "got $line";
  my ($word) = $line =~ /^(\S*)/;
  my @answer = $say{$word} ? $say{$word}->() : "echo $line";
  push @answer, "OK\n" if $answer[-1] =~ /^(tunnel|echo|line) /;
  print $client @answer;
  close $client;
}
END
perl "$work/server.pl" "$ctl" >"$work/server.log" 2>&1 </dev/null &
server=$!
own "$server"
wait_for log_has server listening || fail "the server does not start"

# ctl STATUS WHAT ARGUMENT...
ctl() {
  expected_status=$1
  about=$2
  shift 2
  expect_run "$expected_status" "$about" "$TUNNELCTL" -s "$ctl" "$@"
}
expect_out() {
  printf '%s\n' "$@" >"$work/want"
  diff "$work/want" "$work/out" >"$work/diff.log" || fail "$about: other output"
  : >"$work/diff.log"
}
expect_no() {
  [ ! -s "$work/$1" ] || fail "$about: there is something on $1"
}

ctl 0 "a command" kill x-a now
expect_out 'echo kill x-a now'
expect_no err
ctl 0 "options behind the command" kill -s -x
expect_out 'echo kill -s -x'
ctl 1 "a command that is refused" no
expect_out 'some data'
[ "$(cat "$work/err")" = 'ERROR not today' ] || fail "a refusal: not on stderr"
ctl 0 "data that looks like an end" ok
expect_out OK 'ERROR no'
ctl 0 "much" many
[ "$(wc -l <"$work/out")" -eq 200000 ] || fail "much: lines are missing"
[ "$(tail -n 1 "$work/out")" = 'line 200000' ] || fail "much: the last line"
for each in cut half empty; do
  ctl 2 "an answer that is $each" "$each"
  expect_no out
  expect_text err 'the answer is not whole' "$each"
done
[ "$(log_count server 'got kill')" -eq 2 ] || fail "other lines were sent"
ok "commands go there, data to stdout, an error to stderr"

about=usage
expect_run 64 "no command" "$TUNNELCTL"
expect_run 64 "an unknown option" "$TUNNELCTL" -x status
expect_run 64 "-s without a path" "$TUNNELCTL" -s
ctl 64 "a word with a space" kill 'a b'
ctl 64 "a word with a newline" kill 'a
b'
ctl 64 "an empty word" kill ''
ctl 64 "a long command" kill "$(printf '%01100d' 0)"
ctl 64 "a filter that is none" tunnels ann
ctl 64 "a filter without value" tunnels user=
ctl 64 "a wrong network" tunnels client=10.0.0.1/8
expect_text err 'bits are set behind the prefix length' "a wrong network"
ctl 64 "two orders" tunnels sort=up sort=down
ctl 64 "no order" tunnels sort=
for wrong in '-d 0' '-d x' '-d 4000' '-n 0' '-n 1.5' '-n x' '-x' 'up' '-d'; do
  # shellcheck disable=SC2086 # words
  ctl 64 "top $wrong" top $wrong
done
expect_run 0 "-h" "$TUNNELCTL" -h
expect_text out 'sort=KEY' "-h"
expect_run 0 "--version" "$TUNNELCTL" --version
expect_text out 'tunnelctl (' "--version"
ok "wrong usage"

expect_run 2 "no socket" "$TUNNELCTL" -s "$work/none.ctl" status
expect_text err "none.ctl: No such file or directory" "no socket"
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1)' \
  "$work/dead.ctl"
expect_run 2 "a dead socket" "$TUNNELCTL" -s "$work/dead.ctl" status
expect_text err "Connection refused: no daemon listens there" "a dead socket"
expect_run 2 "a long path" "$TUNNELCTL" -s "$work/$(printf '%0200d' 0)" status
if is_root && has setpriv; then
  chmod 600 "$ctl"
  expect_run 2 "another user" setpriv --reuid 65534 --regid 65534 --clear-groups \
    "$TUNNELCTL" -s "$ctl" status
  expect_text err "Permission denied" "another user"
else
  skip_part "not root, or no setpriv: no other user tries it"
fi
if [ -c /dev/full ]; then
  "$TUNNELCTL" -s "$ctl" status >/dev/full 2>"$work/err"
  [ $? -eq 1 ] || fail "a full disk: not exit status 1"
fi
ok "why a socket is not reached"

TUNNELCTL_SOCKET=$ctl
export TUNNELCTL_SOCKET
about="the environment"
expect_run 0 "$about" "$TUNNELCTL" hello
expect_out 'echo hello'
TUNNELCTL_SOCKET=$work/none.ctl
about="-s before the environment"
ctl 0 "$about" hello
expect_out 'echo hello'
unset TUNNELCTL_SOCKET
ok "the socket of the environment"

# ids ARGUMENT...: of the tunnels, as listed.
ids() {
  ctl 0 "tunnels $*" tunnels "$@"
  sed 's/^tunnel id=\([^ ]*\) .*/\1/' "$work/out" | tr '\n' ' '
}
# expect_ids IDS ARGUMENT...
expect_ids() {
  wanted=$1
  shift
  got=$(ids "$@")
  [ "$got" = "$wanted" ] || fail "tunnels $*: '$got' instead of '$wanted'"
}
[ "$(ids | wc -w)" -eq 33 ] || fail "not all tunnels"
expect_ids 'x-a ' user=ann
expect_ids 'x-a x-b ' user=ann user=bob
expect_ids 'x-b ' user=ann user=bob client=10.2.0.0/16
expect_ids 'x-c ' client=2001:db8::/32
expect_ids 'x-a ' 'target=*.example.com'
expect_ids 'x-a x-c ' 'target=*example.com'
expect_ids 'x-b ' target=192.0.2.1
expect_ids 'x-b ' 'target=*:443'
expect_ids '' user=nobody
expect_ids 'x-b x-a x-c ' sort=up 'id=x-*'
expect_ids 'x-a x-b x-c ' sort=down 'id=x-*'
expect_ids 'x-c x-b x-a ' sort=time 'id=x-*'
expect_ids 'x-a x-b x-c ' 'id=x-*' sort=user
ctl 1 "an unknown key" tunnels usr=ann
expect_text err 'no tunnel has usr=' "an unknown key"
ctl 1 "an unknown order" tunnels sort=rate
expect_no out
ok "tunnels are sifted and sorted"

# Plain screens: in the first one a leads by its mean, then b by what it got.
ctl 0 "top, twice" top -n 2 -d 0.2
tr -d '\n' <"$work/out" | grep -q '[[:cntrl:]]' && fail "top -n: control bytes"
[ "$(grep -c ' UP/s .*CLIENT' "$work/out")" -eq 2 ] || fail "top -n 2: not two screens"
[ "$(grep -c '^[0-9:]*  33 tunnels, up .*, down .*d.ctl$' "$work/out")" -eq 2 ] ||
  fail "top -n 2: no heads"
[ "$(grep -c 'name dcsd   asked [0-9]*   state serving' "$work/out")" -eq 2 ] ||
  fail "top -n 2: no status"
grep ' x-[abc] ' "$work/out" | sed 's/.* \(x-.\) .*/\1/' | tr '\n' ' ' >"$work/order"
case $(cat "$work/order") in
"x-b x-a x-c x-b x-"*) ;;
*) fail "top -n 2: the order is $(cat "$work/order")" ;;
esac
awk '/ x-a / { mean = mean ? mean : $1; a = $1 }
  / x-b / { b = $1 } / x-b / && /1h02m/ { idle = 1 }
  / x-c / && / 1d00h / { time = 1 }
  END { exit !(mean == "1k" && a == "0" && b ~ /M$/ && idle && time) }' "$work/out" ||
  fail "top -n 2: other rates or times"
grep -q 'ROUTE' "$work/out" && fail "top: a column that no tunnel has"
[ "$(grep -c ' y-[0-9]* ' "$work/out")" -eq 60 ] || fail "top -n 2: not all tunnels"
ctl 0 "top, once" top -n 1
expect_run 2 "top without a daemon" "$TUNNELCTL" -s "$work/dead.ctl" top
expect_text err "Connection refused" "top without a daemon"
ok "top as plain text"

if ! has script || ! script -qefc true /dev/null </dev/null >/dev/null 2>&1; then
  skip_part "there is no script(1), which makes a terminal"
  exit 0
fi
trap '' PIPE # where it ends before it should, there is no reader of keys
esc=$(printf '\033')
# on_terminal COMMAND: of the shell, on a terminal of 60 columns and 12 rows. Keys are
# written to 3, what it shows is in $work/typescript, and $work/tty is its name.
on_terminal() {
  rm -f "$work/keys" "$work/typescript" "$work/tty"
  mkfifo "$work/keys"
  cat >"$work/terminal.sh" <<END
stty cols 60 rows 12
tty >$work/tty
before=\$(stty -g)
$1
echo "status \$?"
[ "\$(stty -g)" = "\$before" ] && echo "as before"
END
  SHELL=/bin/sh script -qefc "sh $work/terminal.sh" "$work/typescript" \
    <"$work/keys" >/dev/null 2>&1 &
  script_pid=$!
  own "$script_pid"
  exec 3>"$work/keys"
}
shows() {
  grep -q -- "$1" "$work/typescript" 2>/dev/null
}
wait_shown() {
  wait_for shows "$1" || fail "on a terminal: there is no '$1'"
}
# ends WHAT: it ended well, and the terminal is as before.
ends() {
  wait_for gone "$script_pid" || fail "$1: it does not end"
  exec 3>&-
  wait "$script_pid"
  forget "$script_pid"
  shows 'status 0' || fail "$1: not exit status 0"
  shows 'as before' || fail "$1: the terminal is not as before"
  tr -d '\r' <"$work/typescript" |
    awk -v on="${esc}\\[[?]1049h" -v off="${esc}\\[[?]25h${esc}\\[[?]1049l" '
      $0 ~ on { begun = 1 } $0 ~ off { ended = begun } /^status/ { exit !ended }' ||
    fail "$1: the screen is not given back"
}
# screens: what is shown, without control sequences.
screens() {
  tr -d '\r' <"$work/typescript" | sed "s/${esc}\[H/&\\
/g; s/${esc}\[?1049l/\\
/g" | sed -n "/${esc}\[2K/p" | sed "s/${esc}\[[?0-9]*[A-Za-z]//g"
}
top="$TUNNELCTL -s $ctl top"

on_terminal "$top -d 0.2"
wait_shown 'asked'
n=$(log_count server 'got tunnels')
more() {
  [ "$(log_count server 'got tunnels')" -ge $((n + 3)) ]
}
wait_for more || fail "on a terminal: it does not ask again"
printf 'x' >&3
printf 'q' >&3
ends "after q"
screens >"$work/screens"
[ "$(awk 'length > w { w = length } END { print w }' "$work/screens")" -eq 60 ] ||
  fail "on a terminal: not 60 columns"
awk '/33 tunnels/ { n = 0 } { n++ } n > most { most = n } END { exit most != 12 }' \
  "$work/screens" || fail "on a terminal: not 12 rows"
shows 'ROUTE' && fail "on a terminal: a column that no tunnel has"
ok "top on a terminal, until q"

on_terminal "$top -d 600"
wait_shown 'x-b'
shows 'IDLE' && fail "60 columns: IDLE is there"
stty cols 140 <"$(cat "$work/tty")"
wait_shown 'IDLE'
printf '\003' >&3
ends "after Ctrl-C"
ok "another size is seen at once, and Ctrl-C ends it"

on_terminal "$top -n 1"
ends_plainly() {
  wait_for gone "$script_pid" || fail "-n 1 on a terminal: it does not end"
  exec 3>&-
  wait "$script_pid"
  forget "$script_pid"
  wait_shown 'IDLE'
  shows "$esc" && fail "-n 1 on a terminal: there are control sequences"
  shows 'status 0' || fail "-n 1 on a terminal: not exit status 0"
}
ends_plainly
ok "top -n is plain text on a terminal as well"

on_terminal "echo \$\$ >$work/pid; exec $top -d 600"
wait_shown 'x-b'
kill "$(cat "$work/pid")"
wait_for gone "$script_pid" || fail "after TERM: it does not end"
exec 3>&-
wait "$script_pid" || fail "after TERM: exit status $?"
forget "$script_pid"
shows "$esc\[?1049l" || fail "after TERM: the screen is not given back"
ok "TERM gives the terminal back as well"

on_terminal "$top -d 0.2"
wait_shown 'x-b'
kill "$server"
wait "$server" 2>/dev/null
forget "$server"
wait_shown 'Connection refused: no daemon'
printf 'q' >&3
ends "without a daemon"
ok "on a terminal it waits for the daemon to come back"
