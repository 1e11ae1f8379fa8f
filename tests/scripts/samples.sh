#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The sample files: they are good, so are all keys in them that are commented out, and no
# key that the daemons know is missing.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

# An optional key is `#key = value;', prose is `# Prose'.
uncomment() {
  sed 's/^\( *\)#\([^ ]\)/\1\2/' "$1"
}

for daemon in dcsd pppd-socks; do
  case $daemon in
  dcsd) program=$DCSD ;;
  *) program=$PPPD_SOCKS ;;
  esac
  sample=$top/etc/$daemon.conf
  expect_run 0 "$daemon.conf" "$program" -t -c "$sample"
  grep -qx "$sample: ok" "$work/out" || fail "$daemon.conf: no 'FILE: ok'"
  uncomment "$sample" >"$work/$daemon.conf"
  cmp -s "$sample" "$work/$daemon.conf" && fail "$daemon.conf: no optional key"
  expect_run 0 "$daemon.conf with all keys" "$program" -t -c "$work/$daemon.conf"
  ok "$daemon.conf is good, and with all optional keys as well"
done

# The three routes, as the daemon reads them: each port is taken, and by its target.
sample=$top/etc/pppd-socks.conf
sed 's/#.*//' "$sample" | tr -s '[:space:]' ' ' >"$work/text"
for route in 8887=127.0.0.1:8891 8888=127.0.0.1:9000 8889=example.com:80; do
  port=${route%%=*} target=${route#*=}
  expect_run 64 "a second route at $port" \
    "$PPPD_SOCKS" -t -L "127.0.0.1:$port:a:1" -L "127.0.0.1:$port:a:1"
  expect_run 78 "a route at $port besides those of the sample" \
    "$PPPD_SOCKS" -t -c "$sample" -L "127.0.0.1:$port:localhost:1"
  grep -qE "\{[^{}]*listen = \"?$port\"?;[^{}]* target = \"$target\";" "$work/text" ||
    fail "no route $port to $target"
done
grep -q 'address = "127.0.0.1:1081";' "$work/text" || fail "no upstream 127.0.0.1:1081"
ok "pppd-socks.conf has the three routes and the upstream"

# known FILE...: the keys in the tables of those sources.
known() {
  for source in "$@"; do
    cat "$top/src/$source"
  done | sed -n '/^#define/d
    s/.*{ "\([a-z_]*\)", \(conf_\|settings_\)*read_.*/\1/p
    s/.*SETTINGS_TIMEOUT(type, \([a-z_]*\),.*/\1/p'
}
# A key of the one that has another's name is not noticed: listen, name.
common="common/settings.h common/settings.c"
ppp="pppd-socks/ppp_conf.c pppd-socks/conf_route.c pppd-socks/conf_upstream.c"
# shellcheck disable=SC2086 # two words
for key in $(known $common dcsd/dcsd_conf.c); do
  grep -qE "(^|[{; ])#? *$key *[=:]" "$top/etc/dcsd.conf" || fail "dcsd.conf: no '$key'"
done
# shellcheck disable=SC2086
for key in $(known $common $ppp); do
  grep -qE "(^|[{; ])#? *$key *[=:]" "$sample" || fail "pppd-socks.conf: no '$key'"
done
# shellcheck disable=SC2086
[ "$(known $common dcsd/dcsd_conf.c $ppp | wc -l)" -ge 60 ] ||
  fail "the tables of keys are not found in the sources"
ok "every key is in the samples"
