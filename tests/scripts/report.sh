#!/bin/sh
# SPDX-License-Identifier: ISC
#
# contrib/tunnel-report counts what the log says, in each form that a log takes; tells
# what it could not read; lets nothing of a peer be more than text; and understands the
# lines that the daemons really write.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl"
TZ=UTC0
export TZ
report=$top/contrib/tunnel-report

# page WHAT ARGUMENT...: the page is $work/page, made from the standard input or files.
page() {
  what=$1
  shift
  perl "$report" "$@" >"$work/page" 2>"$work/err" || fail "$what: exit status $?"
}

# expect_row WHAT NAME CELL...: the row of a table that has this name; the first, if there
# are several.
expect_row() {
  what=$1
  name=$2
  shift 2
  row=$(grep -F -e "\"row\">$name<" -e "\"row\"><em>$name<" "$work/page" | head -n 1 |
    sed 's/<[^>]*>/ /g; s/  */ /g; s/^ //; s/ $//')
  [ "$row" = "$name $*" ] || fail "$what: '$row' instead of '$name $*'"
}

expect_quiet() {
  [ ! -s "$work/err" ] || fail "$1: there is something on the standard error"
}

# One tunnel of dcsd behind whatever stands in front of it.
tunnel='tunnel id=5f1c-1 client=192.0.2.1:5555 user=ann rule=staff cmd=connect'
tunnel="$tunnel target=www.example.com:80 addr=192.0.2.80:80 up=500 down=10000"
tunnel="$tunnel dns=0.003 dial=0.012 time=3.200 end=target-eof"

# dcsd USER CLIENT UP DOWN END: the like, which is no good line if END is none.
dcsd() {
  printf 'Nov 30 22:19:32 host dcsd[1]: tunnel id=5f1c-2 client=%s:1 user=%s rule=- ' \
    "$2" "$1"
  printf 'cmd=connect target=example.com:80 addr=- up=%s down=%s dns=- dial=0.100 ' \
    "$3" "$4"
  printf 'time=1.000 end=%s\n' "$5"
}

# ppp ROUTE UP DOWN END
ppp() {
  printf 'Nov 30 22:20:00 host pppd-socks[9]: tunnel id=7a-1 client=[2001:db8::1]:2 '
  printf 'route=%s target=10.0.0.1:5432 upstream=dcs1 up=%s down=%s dial=0.015 ' \
    "$1" "$2" "$3"
  printf 'time=3.204 end=%s\n' "$4"
}

refused='connect-failed rep=5 error="connection refused"'
{
  printf '%s\n' "Nov 30 22:19:32 host dcsd[1]: listening on 127.0.0.1:1081"
  printf '%s\n' "Nov 30 22:19:32 host dcsd[1]: $tunnel"
  dcsd ann 192.0.2.2 1500 20000 client-eof
  dcsd bob 192.0.2.2 7 0 client-reset
  dcsd bob 192.0.2.2 0 0 "$refused"
  dcsd bob 2001:db8::5 0 0 'denied rep=2 error="no rule matches"'
  ppp db 100 2000000 idle
  ppp db 100 2000000 'target-eof dgrams_up=1 dgrams_down=1'
  ppp web 0 0 "$refused"
  printf '%s\n' "Nov 30 22:20:00 host pppd-socks[9]: health upstream=dcs1 state=well"
  printf '%s\n' "Nov 30 22:20:00 host dcsd[1]: tunnel id=1-1 client=192.0.2.1:5 start"
  printf '%s\n' "Nov 30 22:20:00 host other[1]: $tunnel"
} >"$work/log"
touch -t 202612010000 "$work/log"
page "a log of syslog" "$work/log"
expect_quiet "a log of syslog"
expect_text page '<h2>dcsd</h2><div class="tiles"><div>Tunnels<b>5</b>' dcsd
expect_text page '<div>Not served<b>2 <small>40.0 %</small>' dcsd
expect_text page '<div>Bytes up<b>2.01 kB</b></div><div>Bytes down<b>30 kB</b>' dcsd
expect_text page '<h2>pppd-socks</h2><div class="tiles"><div>Tunnels<b>3</b>' pppd-socks
expect_text page '<div>Bytes up<b>200 B</b></div><div>Bytes down<b>4 MB</b>' pppd-socks
expect_row users ann 2 0 '2 kB' '30 kB'
expect_row users bob 3 2 '7 B' '0 B'
expect_row clients 192.0.2.2 3 1 '1.51 kB' '20 kB'
expect_row targets 10.0.0.1:5432 3 1 '200 B' '4 MB'
expect_row routes db 2 0 '200 B' '4 MB'
expect_row routes web 1 1 '0 B' '0 B'
expect_row ends client-reset 1 '20.0 %'
expect_row errors 'connect-failed rep=5 error=&#34;connection refused&#34;' 1 '50.0 %'
expect_row times connecting '100 ms' '100 ms' '100 ms' '100 ms'
expect_text page '<p class="faint">30 Nov 2026, 22:19 to 30 Nov 2026, 22:21</p>' dates
expect_text page '<title>Mon 30 Nov 2026 22:19' "the plot over time"
expect_text page "12 lines of $work/log." "the end of the page"
ok "counts of both daemons, of a log of syslog"

page "the standard input" -o "$work/other" <"$work/log"
expect_quiet "the standard input"
mv "$work/other" "$work/page"
expect_row "the standard input" ann 2 0 '2 kB' '30 kB'
cp "$work/log" "$work/second"
page "two logs" "$work/log" - <"$work/second"
expect_row "two logs" ann 4 0 '4 kB' '60 kB'
page "few rows" -n 1 "$work/log"
expect_row "few rows" 192.0.2.2 3 1 '1.51 kB' '20 kB'
expect_row "few rows" 'others (2)' 2 1 '500 B' '10 kB'
if has gzip; then
  gzip -c "$work/log" >"$work/log.gz"
  touch -t 202612010000 "$work/log.gz"
  page "a packed log" "$work/log.gz"
  expect_row "a packed log" ann 2 0 '2 kB' '30 kB'
  expect_text page '30 Nov 2026, 22:21' "a packed log"
fi
ok "standard input, several logs, packed logs, rows"

# Every form but the last has a date, which is the same.
while read -r line; do
  printf '%s\n' "$line$tunnel" | sed 's/~/ /'
done >"$work/forms" <<END
2026-11-30T22:19:32.123+00:00 dcsd[1]:~
2026-11-30T23:49:32.123456+01:30 host dcsd[1]:~
2026-11-30T21:19:59-0100 host dcsd[1]: dcsd[1]:~
2026-11-30T22:19:32Z dcsd[1]:~
<30>Nov 30 22:19:32 host dcsd[1]:~
Nov 30 22:19:32 2001:db8::1 dcsd[1]:~
<30>1 2026-11-30T22:19:32.123456Z host dcsd 1 - -~
2026-11-30T22:19:32Z host dcsd 1 - [timeQuality tzKnown="1" isSynced="1"]~
2026-11-30_22:19:32.12345 dcsd[1]:~
dcsd[1]:~
END
touch -t 202612010000 "$work/forms"
page "forms" "$work/forms"
expect_quiet forms
expect_row forms ann 10 0 '5 kB' '100 kB'
expect_text page '30 Nov 2026, 22:19 to 30 Nov 2026, 22:20' forms
expect_text page 'not in the plots over time: 1.' forms
ok "dates of syslog, of log.file, of RFC 5424, and none"

{
  dcsd ann 192.0.2.2 1 1 idle | sed 's/Nov 30 22:19/Dec 31 23:58/'
  dcsd ann 192.0.2.2 1 1 idle | sed 's/Nov 30 22:19/Jan  1 00:01/'
} >"$work/year"
touch -t 202701010002 "$work/year"
page "a turn of the year" "$work/year"
expect_text page '31 Dec 2026, 23:58 to 01 Jan 2027, 00:02' "a turn of the year"
ok "a log over the turn of the year"

evil='<script>alert(1)</script>'
{
  dcsd "$evil" "a'onload=&<b>" 1 1 "denied rep=2 error=\"$evil\""
  dcsd "$(printf '"</style>\377')" 192.0.2.9 1 1 limit
} >"$work/log"
page "hostile names" -t "$evil" "$work/log"
grep -q '<script\|</script\|onload=&<\|alert(1)<' "$work/page" &&
  fail "hostile names get in"
[ "$(grep -c '</style>' "$work/page")" -eq 1 ] || fail "a hostile user ends the style"
expect_text page '&#60;script&#62;alert(1)&#60;/script&#62;' "hostile names"
expect_text page '&#34;&#60;/style&#62;\xff' "hostile names"
expect_text page "default-src 'none'" "hostile names"
grep -q 'https*:\|src=' "$work/page" && fail "the page fetches something"
ok "what peers write is text"

{
  dcsd ann 192.0.2.2 1 1 idle
  dcsd ann 192.0.2.2 1 1 idle | cut -c 1-150
  dcsd ann 192.0.2.2 -1 1 idle
  dcsd ann 192.0.2.2 1 1 idle | sed 's/^Nov/the 30th of Nov/'
} >"$work/log"
page "damaged lines" "$work/log"
expect_row "damaged lines" ann 1 0 '1 B' '1 B'
expect_text err "$work/log: damaged lines of tunnels: 3, first in line 2" "damaged lines"
expect_text page 'Damaged lines of tunnels: 3.' "damaged lines"
ok "damaged lines are counted and told"

page "nothing" </dev/null
expect_text page 'No tunnel has ended.' nothing
expect_run 0 "-h" perl "$report" -h
expect_text out Usage: "-h"
expect_run 0 "-o" perl "$report" -o "$work/other" "$work/log"
expect_run 1 "a log that is not there" perl "$report" "$work/none"
expect_text err "$work/none: No such file" "a log that is not there"
[ ! -s "$work/out" ] || fail "a log that is not there: there is a page"
expect_run 1 "a folder" perl "$report" "$work"
expect_text err "$work: cannot be read" "a folder"
expect_run 1 "-o where there is no folder" perl "$report" -o "$work/none/x" "$work/log"
cp "$work/log" "$work/kept"
ln -s log "$work/link"
expect_run 1 "-o that is a log" perl "$report" -o "$work/link" "$work/kept" "$work/log"
expect_text err "$work/link: the output is one of the logs" "-o that is a log"
perl "$report" -o "$work/link" <"$work/log" 2>/dev/null &&
  fail "-o that is the standard input: there is a page"
cmp -s "$work/log" "$work/kept" || fail "-o has written over a log"
expect_run 64 "a wrong option" perl "$report" -x
expect_run 64 "no rows" perl "$report" -n 0
expect_run 64 "no processes" perl "$report" -j 0
grep -q '</html>' "$work/other" || fail "-o: there is no page"
if has gzip; then
  printf 'no gzip\n' >"$work/bad.gz"
  expect_run 1 "a damaged .gz" perl "$report" "$work/bad.gz"
fi
ok "exit status"

# More clients than are kept: those with many tunnels or bytes stay, and sums are right.
perl -e 'sub tunnel {
    printf "dcsd[1]: tunnel id=1-1 client=%s:1 user=- rule=- cmd=- target=a:1 addr=- " .
      "up=%d down=0 dns=- dial=%s time=0.000 end=%s\n", @_;
  }
  tunnel("192.0.2.2", 1000000, "9.000", "idle");
  for (1 .. 25000) {
    tunnel("10.1." . int($_ / 250) . "." . $_ % 250, 1, "0.001", "idle");
    tunnel("192.0.2.1", 0, "-", "denied") if $_ % 100 == 0;
  }' >"$work/log"
page "many clients" -n 1 "$work/log"
expect_row "many clients" 192.0.2.2 1 0 '1 MB' '0 B'
expect_row "many clients" 'others (very many)' 25,250 250 '25 kB' '0 B'
expect_row "many clients" 192.0.2.1 250 '100.0 %'
expect_row "many clients" connecting '1.02 ms' '1.02 ms' '1.02 ms' '9 s'
expect_row "many clients" 'whole time' '0 ms' '0 ms' '0 ms' '0 ms'
ok "many clients"

# in_parts WHAT JOBS FORKS: $work/parts is the page of a log of many parts, without when
# it was made. FORKS: how many processes can be started.
in_parts() {
  perl -I"$top/contrib" -e '
    BEGIN {
      my $forks = shift;
      *CORE::GLOBAL::fork = sub { $forks-- > 0 ? CORE::fork() : undef };
    }
    use TunnelReport::Read;
    $TunnelReport::Read::PART = 300_000;
    do shift;
    die $@ if $@' "$3" "$report" -j "$2" "$work/log" >"$work/page" 2>"$work/err" ||
    fail "$1: exit status $?"
  sed 's/ Made by.*//' "$work/page" >"$work/parts"
}

# Both daemons, over more minutes and with more clients than are kept, all dated.
perl -e 'for (1 .. 24000) {
    my $at = sprintf "2026-11-%02dT%02d:%02d:00Z", 1 + $_ / 1440, $_ / 60 % 24,
      $_ % 60;
    my $end = $_ % 7 ? "idle" : "denied rep=2 error=\"no rule matches\"";
    print "$at dcsd[1]: tunnel id=1-1 client=10.1.", $_ % 251, ".", $_ % 199, ":1 user=u",
      $_ % 9, " rule=- cmd=connect target=h", $_ % 300, ":1 addr=- up=$_ down=7 dns=- ",
      "dial=0.0", 10 + int($_ / 500), " time=$_.000 end=$end\n" if $_ % 3;
    print "$at pppd-socks[1]: tunnel id=1-1 client=10.0.0.1:1 route=r target=a:1 ",
      "upstream=u up=1 down=", $_, " dial=0.010 time=1.500 end=target-eof\n" if $_ % 2;
    print "$at dcsd[1]: tunnel id=1-1 client=damaged\n" if $_ % 11000 == 0;
  }' >"$work/log"
in_parts "one process" 1 0
mv "$work/parts" "$work/one"
expect_text err 'damaged lines of tunnels: 2, first in line 12835' "one process"
expect_text one '<div>Tunnels<b>16,000</b>' "one process"
expect_text one '<div>Tunnels<b>12,000</b>' "one process"
expect_row "one process" connecting '32.7 ms' '53.3 ms' '56 ms' '57 ms'
mv "$work/err" "$work/one.err"
for jobs in 2 3 50; do
  in_parts "$jobs processes" "$jobs" 50
  cmp -s "$work/one" "$work/parts" || fail "$jobs processes make another page"
  cmp -s "$work/one.err" "$work/err" || fail "$jobs processes complain otherwise"
done
for forks in 0 1; do
  in_parts "$forks of 2 processes" 2 "$forks"
  cmp -s "$work/one" "$work/parts" || fail "$forks of 2 processes make another page"
done
ok "as many processes as one likes"

# No date, since they log to the standard error.
printf '%s\n' 'listen = "127.0.0.1:0";' >"$work/conf"
start dcsd "$DCSD" -c "$work/conf"
dcsd_pid=$pid
hold http "$(port dcsd 1)" 1 'GET / HTTP/1.0\015\012'
wait_for log_has dcsd end= || fail "there is no line of dcsd"
printf '%s\n' 'upstreams = ( { address = "127.0.0.1:9"; } );' \
  'routes = ( { name = "r"; listen = "127.0.0.1:0"; target = "127.0.0.1:9"; } );' \
  >"$work/conf"
start ppp "$PPPD_SOCKS" -c "$work/conf"
ppp_pid=$pid
hold client "$(port ppp 1)" 1 ''
wait_for log_has ppp end= || fail "there is no line of pppd-socks"
stop "$dcsd_pid"
stop "$ppp_pid"
page "the real ones" "$work/dcsd.log" "$work/ppp.log"
expect_quiet "the real ones"
expect_text page '<h2>dcsd</h2><div class="tiles"><div>Tunnels<b>1</b>' "the real dcsd"
expect_text page 'bad-request rep=- error=&#34;not SOCKS5' "the real dcsd"
expect_text page '<h2>pppd-socks</h2><div class="tiles"><div>Tunnels<b>1</b>' \
  "the real pppd-socks"
ok "lines of the real daemons"
