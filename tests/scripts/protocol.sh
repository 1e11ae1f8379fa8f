#!/bin/sh
# SPDX-License-Identifier: ISC
#
# doc/PROTOCOL names functions and tests: each must be there, as a name of the sources or
# as a file of the tests.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

cd "$top" || exit 1
find src tests -name '*.[ch]' -exec cat {} + | grep -oE '[a-z0-9_]+' |
  sort -u >"$work/names"
find tests -name '*.c' -o -name '*.sh' | sed 's|.*/||; s|\.c$||' | sort -u >"$work/files"
sort -u -o "$work/names" "$work/names" "$work/files"
grep -oE '[a-z][a-z0-9]*_[a-z0-9_]+' doc/PROTOCOL | sort -u >"$work/used"
[ "$(wc -l <"$work/used")" -ge 50 ] || fail "doc/PROTOCOL names hardly anything"
comm -23 "$work/used" "$work/names" >"$work/missing"
[ ! -s "$work/missing" ] ||
  fail "named in doc/PROTOCOL and not there: $(cat "$work/missing")"
ok "every function and test that doc/PROTOCOL names is there"
