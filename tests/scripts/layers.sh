#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The layers of tests/layers.txt: a file of src/common includes headers of its own line or
# of lines above it, and a daemon none of the other.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

awk_status=0
(cd "$top" && awk -v layers=tests/layers.txt '
  function complain(text) {
    print text
    bad = 1
  }
  function folder(path) {
    sub(/\/[^\/]*$/, "", path)
    return path
  }
  function module(path) {
    sub(/.*\//, "", path)
    sub(/\.[ch]$/, "", path)
    return path
  }
  BEGIN {
    while ((getline line < layers) > 0) {
      n++
      sub(/#.*/, "", line)
      words = split(line, word, " ")
      for (i = 1; i <= words; i++) {
        if (word[i] in rank)
          complain(layers ":" n ": " word[i] " is listed twice")
        rank[word[i]] = n
      }
    }
    if (n == 0) {
      print layers ": cannot be read"
      exit failed = 1
    }
    for (i = 1; i < ARGC; i++) {
      home[module(ARGV[i])] = folder(ARGV[i])
      if (folder(ARGV[i]) == "src/common") {
        there[module(ARGV[i])] = 1
        if (!(module(ARGV[i]) in rank))
          complain(ARGV[i] ": not listed in " layers)
      }
    }
    for (name in rank)
      if (!(name in there))
        complain(layers ": " name " is no file of src/common")
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    if (part[2] == "config.h")
      next
    includes++
    at = FILENAME ":" FNR ": "
    its = module(part[2])
    if (part[2] ~ /\// || !(its in home)) {
      complain(at "\"" part[2] "\" is no header of src")
    } else if (home[its] == "src/common") {
      if (folder(FILENAME) == "src/common" && rank[its] > rank[module(FILENAME)])
        complain(at module(FILENAME) " may not include " part[2] ", a higher layer")
    } else if (folder(FILENAME) == "src/dcsd-passwd" && home[its] == "src/dcsd") {
      next # it edits what dcsd reads
    } else if (home[its] != folder(FILENAME)) {
      complain(at folder(FILENAME) " may not include " part[2] " of " home[its])
    }
  }
  END {
    if (failed)
      exit 1
    if (includes < 50)
      complain("only " includes + 0 " includes found: this looks at the wrong files")
    exit bad
  }' src/*/*.[ch]) || awk_status=$?
[ "$awk_status" -eq 0 ] || fail "the layers are not kept"
ok "no file includes a higher layer, or the other daemon"
