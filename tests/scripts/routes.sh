#!/bin/sh
# SPDX-License-Identifier: ISC
#
# pppd-socks --explain and --probe: what they say and their exit status, with upstreams
# that work, refuse, are dead or stand still, and targets that are up or down. No port of
# a route is ever listened at here.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the target"
start_target
target_pid=$!

# Upstreams: one that works; one that denies what is asked for here; one that wants a
# password; one that wants a PROXY header.
printf 'listen = "127.0.0.1:0";\n' >"$work/dcs1.conf"
start dcs1 "$DCSD" -c "$work/dcs1.conf"
dcs1_pid=$pid
dcs1=$(port dcs1 1)
printf 'listen = "127.0.0.1:0"; rules = ( { action = "allow"; ports = 25; } );\n' \
  >"$work/dcs2.conf"
start dcs2 "$DCSD" -c "$work/dcs2.conf"
dcs2=$(port dcs2 1)
# shellcheck disable=SC2016 # these are no variables
hash='$6$rounds=1000$saltsaltsalt$'$(printf '%086d' 0 | tr 0 x)
printf 'ann:%s\n' "$hash" >"$work/users"
chmod 600 "$work/users"
cat >"$work/dcs3.conf" <<END
listen = "127.0.0.1:0";
auth: { methods = "password"; users = "$work/users"; };
END
start dcs3 "$DCSD" -c "$work/dcs3.conf"
dcs3=$(port dcs3 1)
printf 'listen = "127.0.0.1:0"; proxy_protocol = "127.0.0.1";\n' >"$work/dcs4.conf"
start dcs4 "$DCSD" -c "$work/dcs4.conf"
dcs4=$(port dcs4 1)

cat >"$work/conf" <<END
upstreams = (
  { name = "dcs1"; address = "127.0.0.1:$dcs1"; handshake = "pipelined"; spare = 4; },
  { name = "dcs2"; address = "127.0.0.1:$dcs2"; },
  { name = "dcs3"; address = "127.0.0.1:$dcs3"; },
  { name = "dcs4"; address = "127.0.0.1:$dcs4"; proxy_protocol = true; },
  { name = "dead"; address = "127.0.0.1:1"; } );
routes = (
  { name = "web"; listen = 8001; targets = [ "127.0.0.1:$target", "127.0.0.1:1" ];
    balance = "first"; upstream_balance = "first"; clients = "10.0.0.0/8"; },
  { name = "range"; listen = "127.0.0.1:9000-9002"; target = "127.0.0.1:$target";
    upstreams = [ "dead", "dcs1" ]; },
  { listen = "*:8001"; protocol = "udp"; target = "127.0.0.1:53";
    upstreams = [ "dcs1", "dead" ]; },
  { listen = 8002; target = "127.0.0.1:1"; upstreams = "dcs1"; } );
timeouts: { connect = 12.5; handshake = 12; };
END

# ask STATUS QUESTION
ask() {
  expect_run "$1" "--explain '$2'" "$PPPD_SOCKS" -c "$work/conf" --explain "$2"
}

# probe STATUS WHAT [PORT]: what is expected of it is told on standard input: the table,
# with the target's port as TARGET, one space between columns, and each time as MS.
probe() {
  cat >"$work/want"
  expect_run "$1" "$2" "$PPPD_SOCKS" -c "$work/conf" --probe ${3:+"$3"}
  sed -e "s/:$target /:TARGET /" -e 's/ [0-9][0-9]*$/ MS/' -e 's/   */ /g' \
    "$work/out" >"$work/table"
  diff "$work/want" "$work/table" >"$work/err" || fail "$2: not that table"
}

ask 0 "8001 client=10.1.2.3"
sed -n '/^tries/,/^$/p; /^$/q' "$work/out" >"$work/tries"
diff - "$work/tries" >"$work/err" <<END || fail "the tries are not those"
tries: always in this order
1. 127.0.0.1:$target through dcs1
2. 127.0.0.1:1 through dcs1
3. 127.0.0.1:$target through dcs2
4. 127.0.0.1:1 through dcs2
5. 127.0.0.1:$target through dcs3
6. 127.0.0.1:1 through dcs3
7. 127.0.0.1:$target through dcs4
8. 127.0.0.1:1 through dcs4
9. 127.0.0.1:$target through dead
10. 127.0.0.1:1 through dead

END
expect_text out "protocol: udp" "the UDP route of the same port"
expect_text out "timeouts.connect: 12.5 s" "a timeout"
expect_text out "upstream: dcs4 address=127.0.0.1:$dcs4 weight=1 password=no \
handshake=standard spare=0 proxy_protocol=yes" "an upstream"
ask 0 "8001 client=192.0.2.1"
expect_text out "tries: none, the client may not use the route" "a client that may not"
ask 0 127.0.0.1:9001
expect_text out "listen: 127.0.0.1:9001" "one port of a range"
ask 1 8003
ask 64 "8001 client=web"
ask 64 web
ok "--explain"

probe 1 "all routes" <<END
listen target upstream result ms
8001 127.0.0.1:TARGET dcs1 ok MS
8001 127.0.0.1:TARGET dcs2 connection not allowed by ruleset (rep=2) -
8001 127.0.0.1:TARGET dcs3 upstream: accepts no method that was offered -
8001 127.0.0.1:TARGET dcs4 ok MS
8001 127.0.0.1:TARGET dead upstream: Connection refused -
8001 127.0.0.1:1 dcs1 connection refused (rep=5) -
8001 127.0.0.1:1 dcs2 connection not allowed by ruleset (rep=2) -
8001 127.0.0.1:1 dcs3 upstream: accepts no method that was offered -
8001 127.0.0.1:1 dcs4 connection refused (rep=5) -
8001 127.0.0.1:1 dead upstream: Connection refused -
127.0.0.1:9000 127.0.0.1:TARGET dead upstream: Connection refused -
127.0.0.1:9000 127.0.0.1:TARGET dcs1 ok MS
127.0.0.1:9001 127.0.0.1:TARGET dead upstream: Connection refused -
127.0.0.1:9001 127.0.0.1:TARGET dcs1 ok MS
127.0.0.1:9002 127.0.0.1:TARGET dead upstream: Connection refused -
127.0.0.1:9002 127.0.0.1:TARGET dcs1 ok MS
*:8001/udp 127.0.0.1:53 dcs1 ok, the target is not tested MS
*:8001/udp 127.0.0.1:53 dead upstream: Connection refused -
8002 127.0.0.1:1 dcs1 connection refused (rep=5) -
END
awk 'NR == 1 {
    width = length($0)
    n = split("target upstream result", head, " ")
    for (i = 1; i <= n; i++)
      at[i] = index($0, head[i])
  }
  length($0) != width { bad = 1 }
  { for (i in at)
      if (substr($0, at[i] - 1, 2) !~ /^ [^ ]$/)
        bad = 1
  }
  END { exit bad }' "$work/out" || fail "the columns are not aligned"
probe 0 "one port of a range" 9001 <<END
listen target upstream result ms
127.0.0.1:9001 127.0.0.1:TARGET dead upstream: Connection refused -
127.0.0.1:9001 127.0.0.1:TARGET dcs1 ok MS
END
expect_run 0 "a port of TCP and UDP" "$PPPD_SOCKS" -c "$work/conf" --probe=8001
expect_run 1 "no usable target" "$PPPD_SOCKS" -c "$work/conf" --probe 8002
expect_run 64 "no route" "$PPPD_SOCKS" -c "$work/conf" --probe 8003
expect_text err "8003: no route listens there" "no route"
expect_run 64 "no port" "$PPPD_SOCKS" -c "$work/conf" --probe web
expect_run 0 "-s and -L" "$PPPD_SOCKS" -c "$work/conf" -s "127.0.0.1:$dcs1" \
  -L "8004:localhost:$target" --probe 8004
expect_text out "localhost:$target  127.0.0.1:$dcs1  ok" "-s and -L"
ok "--probe"

kill "$target_pid"
wait "$target_pid" 2>/dev/null
forget "$target_pid"
probe 1 "a target that is down" 9002 <<END
listen target upstream result ms
127.0.0.1:9002 127.0.0.1:TARGET dead upstream: Connection refused -
127.0.0.1:9002 127.0.0.1:TARGET dcs1 connection refused (rep=5) -
END
ok "a target that is down"

# A hundred that wait for as long as they may, but not one after the other.
cat >"$work/conf" <<END
upstreams = ( { address = "127.0.0.1:$dcs1"; } );
routes = ( { listen = "127.0.0.1:9001-9100"; target = "127.0.0.1:$target"; } );
timeouts: { connect = 0.5; handshake = 0.5; };
END
kill -STOP "$dcs1_pid"
begin=$(date +%s)
expect_run 1 "an upstream that stands still" "$PPPD_SOCKS" -c "$work/conf" --probe
took=$(($(date +%s) - begin))
kill -CONT "$dcs1_pid"
lines=$(grep -c '  upstream: .* -$' "$work/out")
[ "$lines" -eq 100 ] || fail "of 100 connections $lines had no answer"
[ "$took" -lt 25 ] || fail "it took $took s: one after the other"
ok "an upstream that stands still"
