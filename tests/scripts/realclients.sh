#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Programs that others wrote, as clients: curl, ncat and nc with dcsd, and curl through
# both daemons.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the target here"
# A name that is good without a name server.
localhost=
[ -z "$(getent ahostsv4 localhost 2>/dev/null)" ] || localhost=localhost
start_target
printf 'listen = "127.0.0.1:0";\n' >"$work/conf"
start dcsd "$DCSD" -c "$work/conf"
dcsd=$(port dcsd 1)
dcsd_pid=$pid
printf 'timeouts: { connect = 15; };\n' >"$work/ppp.conf"
start pppd-socks "$PPPD_SOCKS" -c "$work/ppp.conf" -s "127.0.0.1:$dcsd" \
  -L "127.0.0.1:0:127.0.0.1:$target" -L "127.0.0.1:0:${localhost:-127.0.0.1}:$target" \
  -L 127.0.0.1:0:127.0.0.1:1
ppp_pid=$pid

# The port of the n-th route.
n_of() {
  port pppd-socks "$1"
}

# fetch WHAT ARGUMENT...: 3,000,000 bytes, by curl.
fetch() {
  what=$1
  shift
  expect_run 0 "$what" curl -sS -m "$patience_s" -o "$work/got" "$@"
  [ "$(wc -c <"$work/got")" -eq 3000000 ] || fail "$what: not all of it came"
}

tried=0
if has curl; then
  fetch "curl --socks5" --socks5 "127.0.0.1:$dcsd" \
    "http://127.0.0.1:$target/bytes/3000000"
  if [ -n "$localhost" ]; then
    fetch "curl --socks5-hostname" --socks5-hostname "127.0.0.1:$dcsd" \
      "http://localhost:$target/bytes/3000000"
    sent() { log_has dcsd "target=localhost:$target addr=127.0.0.1:$target"; }
    wait_for sent || fail "the name was not sent as a name, or not logged"
  else
    skip_part "targets by name: localhost is no name here"
  fi
  # 97: the proxy said no. Port 1 is closed, and the name is none.
  expect_run 97 "curl to a closed port" \
    curl -sS -m "$patience_s" --socks5 "127.0.0.1:$dcsd" http://127.0.0.1:1/
  expect_text err "(5)" "curl to a closed port"
  expect_run 97 "curl to no name" curl -sS -m "$patience_s" \
    --socks5-hostname "127.0.0.1:$dcsd" http://no-such-name.invalid/
  ok "curl: --socks5 and --socks5-hostname, and what it makes of a refusal"

  fetch "curl through both" "http://127.0.0.1:$(n_of 1)/bytes/3000000"
  fetch "curl through both, by name" "http://127.0.0.1:$(n_of 2)/bytes/3000000"
  # A reset is 7, 55 or 56, as it comes; an end (52) would be a target with no answer.
  run curl -sS -m "$patience_s" "http://127.0.0.1:$(n_of 3)/"
  case $? in
  7|55|56) ;;
  *) fail "curl through both to a closed port: exit status $run_status" ;;
  esac
  refused() { log_has pppd-socks 'end=connect-failed rep=5 error="'; }
  wait_for refused || fail "the refusal is not in the log of pppd-socks"
  i=0
  urls=
  while [ "$i" -lt 40 ]; do
    i=$((i + 1))
    urls="$urls http://127.0.0.1:$(n_of $((i % 2 + 1)))/bytes/1$i"
  done
  # shellcheck disable=SC2086 # forty words
  expect_run 0 "forty clients at once" curl -sS -m "$patience_s" --parallel \
    --parallel-max 40 $urls
  ok "curl: through pppd-socks and dcsd, one and forty at once"
  tried=$((tried + 1))
else
  skip_part "curl is not there"
fi

# get WHAT COMMAND...: an HTTP request on stdin, as those clients do it.
get() {
  what=$1
  shift
  printf 'GET /by/%s HTTP/1.0\r\n\r\n' "${what%% *}" >"$work/request"
  expect_run 0 "$what" sh "$work/run-with-stdin" "$work/request" "$@"
  expect_text out "You asked for /by/${what%% *}" "$what"
}
cat >"$work/run-with-stdin" <<'END'
request=$1
shift
exec "$@" <"$request"
END

if has ncat; then
  get "ncat --proxy-type socks5" ncat -w "$patience_s" --proxy "127.0.0.1:$dcsd" \
    --proxy-type socks5 127.0.0.1 "$target"
  get "ncat through both" ncat -w "$patience_s" 127.0.0.1 "$(n_of 1)"
  ok "ncat"
  tried=$((tried + 1))
else
  skip_part "ncat is not there"
fi

# Only the nc of OpenBSD speaks SOCKS.
if has nc && nc -h 2>&1 | grep -q 'OpenBSD netcat'; then
  get "nc -X 5" nc -w "$patience_s" -X 5 -x "127.0.0.1:$dcsd" 127.0.0.1 "$target"
  get "nc by name" nc -w "$patience_s" -X 5 -x "127.0.0.1:$dcsd" \
    "${localhost:-127.0.0.1}" "$target"
  ok "nc"
  tried=$((tried + 1))
else
  skip_part "the nc of OpenBSD is not there"
fi

[ "$tried" -gt 0 ] || skip "none of curl, ncat and nc is there"
stop "$ppp_pid"
stop "$dcsd_pid"
for name in dcsd pppd-socks; do
  [ "$(log_count "$name" "tunnel id=")" -ge "$tried" ] || fail "$name: tunnels not logged"
done
