#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a machine can say of the style: the formatter's own opinion, licence lines, width,
# and the length of functions. Other rules are in doc/HACKING.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

width=90
longest=120
# Other versions format a little differently, and it is one that decides.
formatter_major=14

cd "$top" || exit 1
find src tests -name '*.[ch]' | sort >"$work/c"
{
  find tests -name '*.sh' -o -name '*.pl'
  # A line of logcheck is as long as a line of the log; and most files in debian are as
  # debhelper wants them.
  [ ! -e .ci/run ] || echo .ci/run # not in a tarball
  find contrib -type f ! -path 'contrib/logcheck/*' ! -path 'contrib/debian/*'
  find contrib/debian -name rules -o -name '*.post*'
} | sort >"$work/scripts"
[ "$(wc -l <"$work/c")" -ge 50 ] || fail "the sources are not found"

bad=0
complain() {
  printf '%s\n' "$*"
  bad=1
}

{
  cat "$work/c" "$work/scripts"
  printf '%s\n' Makefile.am configure.ac
} >"$work/all"
while read -r file; do
  head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ISC' ||
    complain "$file: no SPDX-License-Identifier in the first two lines"
  [ -z "$(tail -c 1 "$file")" ] || complain "$file: no newline at its end"
done <"$work/all"
for text in etc/* contrib/*/*.c*f* README; do
  [ -f "$text" ] && printf '%s\n' "$text"
done >>"$work/all"
while read -r file; do
  expand -t 8 "$file" | awk -v file="$file" -v width="$width" '
    length > width { print file ":" NR ": " length " columns, " width " are allowed" }
    / +$/ { print file ":" NR ": spaces at the end" }'
done <"$work/all" >"$work/wide"
[ -s "$work/wide" ] && complain "$(cat "$work/wide")"

while read -r file; do
  awk -v file="$file" -v longest="$longest" '
    /^\{/ { from = NR }
    /^\}/ && from {
      if (NR - from + 1 > longest)
        print file ":" from ": a function of " NR - from + 1 " lines"
      from = 0
    }' "$file"
done <"$work/c" >"$work/long"
[ -s "$work/long" ] && complain "$(cat "$work/long")"

skipped=
formatter=
for name in "clang-format-$formatter_major" clang-format; do
  if has "$name" && "$name" --version | grep -q "version $formatter_major\."; then
    formatter=$name
    break
  fi
done
if [ -n "$formatter" ]; then
  [ -f .clang-format ] || fail "no .clang-format"
  xargs "$formatter" --dry-run -Werror <"$work/c" 2>"$work/format" ||
    complain "$(grep -E 'error:' "$work/format")"
else
  skipped="clang-format $formatter_major"
fi
if has shellcheck; then
  xargs grep -lE '^#!/bin/(ba|k)?sh|shell=sh' <"$work/scripts" |
    xargs shellcheck --external-sources --source-path=SCRIPTDIR \
      >"$work/shellcheck" 2>&1 ||
    complain "$(cat "$work/shellcheck")"
else
  skip_part "the scripts are not checked: no shellcheck"
fi

[ "$bad" -eq 0 ] || fail "the style is not kept"
ok "licence lines, width, length of functions"
[ -z "$skipped" ] || skip "the rest is good, the format was not checked: no $skipped"
ok "format"
