#!/bin/sh
# SPDX-License-Identifier: ISC
#
# socks5-probe: each of its modes with dcsd, and with SOCKS servers that others wrote;
# what it says of servers that do not work, or are none; its arguments and exit status.

# shellcheck disable=SC2016 # the dollars are for perl
:
# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"
# shellcheck source=peers.sh
. "$top/tests/scripts/peers.sh"

PROBE=$(absolute "${SOCKS5_PROBE:-./socks5-probe}")
unset SOCKS5_PASSWORD
has perl || skip "no perl, which plays the other servers"

# probe STATUS TEXT ARGUMENT...: it ends so, and its line has the text.
probe() {
  want=$1
  text=$2
  shift 2
  expect_run "$want" "socks5-probe $*" "$PROBE" "$@"
  expect_text out "$text" "socks5-probe $*"
  [ "$(wc -l <"$work/out")" -eq 1 ] || fail "socks5-probe $*: not one line"
  [ ! -s "$work/err" ] || fail "socks5-probe $*: it writes to stderr"
}

# expect_steps STEP...: these times are in the line, in this order, and then the whole.
expect_steps() {
  pattern=' |'
  for step in "$@"; do
    pattern="$pattern $step=[0-9][0-9]*\\.[0-9]*s;;;0"
  done
  grep -q "$pattern total=[0-9][0-9]*\\.[0-9]*s;[0-9.]*;[0-9.]*;0\$" "$work/out" ||
    fail "the line does not have the times of $*"
}

# helper NAME PERL: a server of a few lines; $helper is the port that it prints.
helper() {
  : >"$work/$1.log"
  perl -MIO::Socket::INET -e "\$| = 1; $2" >"$work/$1.log" 2>&1 </dev/null &
  own $!
  wait_for log_has "$1" 'port ' || fail "$1 did not start"
  helper=$(sed -n 's/^port //p' "$work/$1.log")
}

udp_socket='my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "udp");
  print "port ", $s->sockport, "\n";'
# Echoes any text but the first "late"; answers a query with its ID, and the bit that says
# response.
helper echo "$udp_socket"'
  my $late;
  while (defined $s->recv(my $data, 65535)) {
    next if $data eq "late" && !$late++;
    $s->send($data);
  }'
echo=$helper
helper dns "$udp_socket"'
  while (defined $s->recv(my $data, 65535)) {
    next if length($data) != 17;
    substr($data, 2, 1) = chr(0x81);
    $s->send($data);
  }'
dns=$helper
helper http 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5);
  print "port ", $s->sockport, "\n";
  while (my $c = $s->accept) {
    print $c "HTTP/1.1 400 Bad Request\r\n\r\n";
    shutdown $c, 1;
    1 while read $c, my $rest, 100;
  }'
http=$helper
helper mute 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5);
  print "port ", $s->sockport, "\n";
  my @all;
  while (my $c = $s->accept) {
    push @all, $c;
  }'
mute=$helper
start_target

# all_modes SERVER
all_modes() {
  probe 0 "SOCKS5 OK - auth with $1 in " "$1" auth
  expect_steps tcp method
  probe 0 "SOCKS5 OK - connect to 127.0.0.1:$target in " "$1" connect "127.0.0.1:$target"
  expect_steps tcp method reply
  probe 0 "SOCKS5 OK - connect to localhost:$target in " "$1" connect "localhost:$target"
  probe 0 "SOCKS5 OK - bind with $1 in " "$1" bind
  expect_steps tcp method reply peer echo
  probe 0 "SOCKS5 OK - bind to 127.0.0.1:1 in " "$1" bind 127.0.0.1:1
  probe 0 "SOCKS5 OK - udp to 127.0.0.1:$dns in " "$1" udp "127.0.0.1:$dns"
  expect_steps tcp method reply answer
  probe 0 "SOCKS5 OK - udp to 127.0.0.1:$echo in " -P "hello" "$1" udp "127.0.0.1:$echo"
}

printf 'listen = "127.0.0.1:0"; bind: { timeout = 0.3; };\n' >"$work/conf"
start dcsd "$DCSD" -c "$work/conf"
dcsd_pid=$pid
server=127.0.0.1:$(port dcsd 1)
all_modes "$server"
ok "all modes with dcsd"

probe 2 "reply: connection refused (REP 5)" "$server" connect 127.0.0.1:1
expect_steps tcp method
# The peer, that is not 127.0.0.9, may be reset before it knows that it is connected.
probe 2 "SOCKS5 CRITICAL - bind to 127.0.0.9:1: " "$server" bind 127.0.0.9:1
probe 2 "no answer in time" -t 0.3 "$server" udp "127.0.0.1:$target"
probe 1 "SOCKS5 WARNING - udp to 127.0.0.1:$echo in " -w 0.5 -P late "$server" udp \
  "127.0.0.1:$echo"
grep -q ' total=[0-9.]*s;0.500;10.000;0$' "$work/out" || fail "the limits are not told"
probe 0 "SOCKS5 OK - auth" -w 30 -t 60 "$server" auth
grep -q ' total=[0-9.]*s;30.000;60.000;0$' "$work/out" || fail "the limits are not told"
SOCKS5_PASSWORD=secret
export SOCKS5_PASSWORD
probe 2 "method: accepts no method that was offered" -u ann "$server" auth
unset SOCKS5_PASSWORD
ok "what dcsd refuses"

printf 'listen = "127.0.0.1:0"; proxy_protocol = "127.0.0.1";\n' >"$work/proxied.conf"
start proxied "$DCSD" -c "$work/proxied.conf"
proxied=127.0.0.1:$(port proxied 1)
probe 0 "SOCKS5 OK - auth" -p "$proxied" auth
expect_steps tcp method
probe 0 "SOCKS5 OK - connect" --proxy-protocol "$proxied" connect "127.0.0.1:$target"
probe 2 "method: closed the connection" "$proxied" auth
probe 2 "method: " -p "$server" auth
stop "$pid"
grep -q ' client=127\.0\.0\.1:.* cmd=connect .* end=[a-z]*-eof' "$work/proxied.log" ||
  fail "a LOCAL header: the client is not the probe itself"
ok "a PROXY header, where it is demanded and where it is not"

probe 2 "tcp: Connection refused" 127.0.0.1:1 auth
grep -q ' | total=' "$work/out" || fail "a step that failed has a time"
probe 2 "method: not a SOCKS5 server" "127.0.0.1:$http" connect "127.0.0.1:$target"
probe 2 "method: no answer in time" -t 0.3 "127.0.0.1:$mute" auth
probe 2 "no address of that family" -6 "127.0.0.1:$http" auth
ok "servers that are none"

probe 3 "SOCKS5 UNKNOWN - --no-such-option: unknown option" --no-such-option
probe 3 "SOCKS5 UNKNOWN - -t: unknown option, or its argument" -t
probe 3 "SOCKS5 UNKNOWN - "
probe 3 "SOCKS5 UNKNOWN - 127.0.0.1: " 127.0.0.1 auth
probe 3 "SOCKS5 UNKNOWN - connects: " "$server" connects
probe 3 "this mode wants a TARGET" "$server" connect
probe 3 "this mode has no TARGET" "$server" auth "127.0.0.1:$target"
probe 3 "seconds are wanted" -t 0 "$server" auth
probe 3 "seconds are wanted" -w nan "$server" auth
probe 3 "no --password-file and no SOCKS5_PASSWORD" -u ann "$server" auth
probe 3 "but no --user" -F "$work/secret" "$server" auth
probe 3 "No such file" -u ann -F "$work/none" "$server" auth
printf 'secret\n' >"$work/secret"
chmod 640 "$work/secret"
probe 3 "group or others have access" -u ann -F "$work/secret" "$server" auth
chmod 600 "$work/secret"
: >"$work/empty"
chmod 600 "$work/empty"
probe 3 "its first line is empty" -u ann -F "$work/empty" "$server" auth
probe 3 "UNKNOWN - user: 1 to 255 bytes" -u '' -F "$work/secret" "$server" auth
SOCKS5_PASSWORD=
export SOCKS5_PASSWORD
probe 3 "UNKNOWN - SOCKS5_PASSWORD: 1 to 255 bytes" -u ann "$server" auth
unset SOCKS5_PASSWORD
expect_run 0 "--version" "$PROBE" --version
expect_text out "socks5-probe (" "--version"
expect_run 0 "--help" "$PROBE" --help
expect_text out "Usage: socks5-probe" "--help"
ok "arguments"

# with_password SERVER: ann has the password "secret" there.
with_password() {
  probe 0 "SOCKS5 OK - auth with $1 in " -u ann -F "$work/secret" "$1" auth
  expect_steps tcp method auth
  SOCKS5_PASSWORD=secret
  export SOCKS5_PASSWORD
  probe 0 "SOCKS5 OK - connect to " -u ann "$1" connect "127.0.0.1:$target"
  expect_steps tcp method auth reply
  SOCKS5_PASSWORD=wrong
  probe 2 "auth: refused the name or password" -u ann "$1" auth
  unset SOCKS5_PASSWORD
  probe 2 "method: accepts no method that was offered" "$1" auth
}

hash=$(perl -e 'print crypt("secret", q{$6$probetest$}) // ""')
case $hash in
'$6$'*)
  printf 'ann:%s\n' "$hash" >"$work/users"
  chmod 600 "$work/users"
  cat >"$work/password.conf" <<END
listen = "127.0.0.1:0";
auth: { methods = "password"; users = "$work/users"; };
END
  start password "$DCSD" -c "$work/password.conf"
  with_password "127.0.0.1:$(port password 1)"
  stop "$pid"
  ok "a password, with dcsd"
  ;;
*) skip_part "crypt of perl knows no SHA-512" ;;
esac
stop "$dcsd_pid"

if has microsocks; then
  launch_microsocks || fail "microsocks: $why"
  probe 0 "SOCKS5 OK - auth" "127.0.0.1:$at" auth
  probe 0 "SOCKS5 OK - connect" "127.0.0.1:$at" connect "localhost:$target"
  probe 2 "reply: command not supported (REP 7)" "127.0.0.1:$at" bind
  launch_microsocks -u ann -P secret || fail "microsocks: $why"
  with_password "127.0.0.1:$at"
  ok "microsocks"
else
  skip_part "microsocks is not there"
fi

if has_dante; then
  launch_dante || fail "dante: $why"
  all_modes "127.0.0.1:$at"
  finish "$server" dante
  ok "dante"
else
  skip_part "dante is not there, or this is not root"
fi
