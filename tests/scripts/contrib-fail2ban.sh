#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The filter in contrib/fail2ban finds failed authentications, in each form that the log
# takes, and nothing that a client may have written; and it finds those of the real dcsd.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

filter=$top/contrib/fail2ban/dcsd.conf
[ -r "$filter" ] || fail "there is no $filter"
has fail2ban-regex || skip "no fail2ban-regex"
includes=/etc/fail2ban/filter.d
[ -r "$includes/common.conf" ] || skip "no common.conf of fail2ban"

# The filter includes common.conf, which is looked for beside it.
cp "$includes/common.conf" "$filter" "$work/" || fail "cannot copy the filter"

# expect_found WHAT FILE ADDRESS...: the clients that the filter finds, in this order.
expect_found() {
  what=$1
  file=$2
  shift 2
  fail2ban-regex -o ip "$work/$file" "$work/dcsd.conf" >"$work/found" 2>"$work/err" ||
    [ $# -eq 0 ] || fail "$what: fail2ban-regex failed"
  for address in "$@"; do
    printf '%s\n' "$address"
  done >"$work/wanted"
  cmp -s "$work/wanted" "$work/found" ||
    fail "$what: found $(tr '\n' ' ' <"$work/found")instead of $*"
  ok "$what"
}

at='Nov 24 14:00:00 host'
iso='2026-11-24T14:00:00.123456+01:00 host'
failed="auth-failed client=192.0.2.1:5555 user=ann reason=\"wrong password\""

cat >"$work/syslog" <<END
$at dcsd[123]: $failed
$at dcsd[123]: auth-failed client=[2001:db8::2]:5555 user=- reason="no such user"
$iso dcsd[123]: auth-failed client=192.0.2.3:1 user=a reason="x"
END
expect_found "lines of syslog" syslog 192.0.2.1 2001:db8::2 192.0.2.3

printf '%s\n' "$at dcsd[123]: dcsd[123]: $failed" >"$work/journal"
expect_found "lines of the journal" journal 192.0.2.1

# Nobody is banned for what another one has written, nor for other lines.
cat >"$work/others" <<END
$at dcsd[123]: auth-refused source=192.0.2.1 failures=5 time=1.000
$at dcsd[123]: listening on 127.0.0.1:1081
$at dcsd[123]: tunnel id=1-1 client=192.0.2.1:5555 user=ann rule=- end=auth-failed
$at other[9]: $failed
$at other[9]: dcsd[1]: $failed
$at dcsd[123]: tunnel $failed
END
expect_found "other lines" others

user='x\x20client=198.51.100.1:1\x20user=y'
printf '%s\n' "$at dcsd[123]: auth-failed client=192.0.2.1:5555 user=$user reason=\"x\"" \
  >"$work/forged"
expect_found "a user that looks like a client" forged 192.0.2.1

# The real one.
has perl || skip "the rest is good, but no perl, which is the client here"
umask 077
hash=8RWsOfwR6M6PpnoeQiEiWzNTPo1f0HjVYjDnLZhGx16
hash=${hash}aBFRkeqiHAzfXP/LgrOWMBMXqiU2pLrXsSOHNUyUm91
printf '%s\n' "ann:\$6\$saltsalt\$$hash" >"$work/users"
cat >"$work/dcsd.users.conf" <<END
listen = "127.0.0.1:0";
auth: { methods = [ "password" ]; users = "$work/users"; };
END
start dcsd "$DCSD" -c "$work/dcsd.users.conf"
perl -MIO::Socket::INET -e '
  alarm shift;
  my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift) or exit 1;
  syswrite($s, "\5\1\2");
  sysread($s, my $method, 2);
  syswrite($s, "\1\7a b\n\"c\177\5wrong");
  my $n = sysread($s, my $status, 2);
  exit !(defined $n && $n == 2 && $status ne "\1\0");' \
  "$patience_s" "$(port dcsd 1)" || fail "the password was not refused"
wait_for log_has dcsd auth-failed || fail "there is no line about it"
stop "$pid"
sed 's/^/Nov 24 14:00:00 host /' "$work/dcsd.log" >"$work/real"
expect_found "the line of the real dcsd" real 127.0.0.1
