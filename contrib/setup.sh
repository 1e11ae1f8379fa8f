# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# What contrib/demo, contrib/check and .ci/run share; read with `.' in the top folder of
# the tree, never run. It finds out what is missing on this machine, installs it, and
# builds quietly.

: "${log:=/dev/null}" # where quiet() writes; whoever reads this sets it
missing=
PATH=$PATH:/usr/sbin:/sbin # where some systems keep ip and nft from users

say() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# need PACKAGE COMMAND...: the package, if the command fails.
need() {
  package=$1
  shift
  "$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_header() {
  printf '#include <stddef.h>\n#include <stdio.h>\n#include <%s>\n' "$1" | cc -E -
}

has_library() {
  find /usr/lib /lib -name "$1*" 2>/dev/null | grep -q .
}

# generated: whether configure and all it needs are there, and newer than their sources.
generated() {
  [ -x configure ] && [ -f Makefile.in ] && [ -f config.h.in ] &&
    [ -z "$(find configure.ac Makefile.am -newer configure)" ] &&
    [ -z "$(find configure.ac Makefile.am -newer Makefile.in)" ]
}

# The packages of Debian that are needed to build all, tests included.
need_to_build() {
  if ! generated; then
    need autoconf has autoreconf
    need automake has automake
  fi
  need gcc has cc
  need libc6-dev has_header stdio.h
  need libcrypt-dev has_header crypt.h
  need libpam0g-dev has_header security/pam_appl.h
  need make has make
  need pkg-config has pkg-config
  need libconfig-dev pkg-config --exists libconfig
  need check pkg-config --exists check
}

# apt_get ARGUMENT...: apt-get as root, without questions.
apt_get() {
  if [ "$(id -u)" -eq 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null
  else
    sudo DEBIAN_FRONTEND=noninteractive apt-get "$@"
  fi
}

# Installs what is missing, or says what to install and ends.
install_missing() {
  [ -n "$missing" ] || return 0
  if ! has apt-get || { [ "$(id -u)" -ne 0 ] && ! has sudo; }; then
    say "please install, by the names that Debian gives them:$missing"
    exit 1
  fi
  say "installing$missing"
  # The lists may be old, or there may be none yet.
  quiet apt_get update -q
  # shellcheck disable=SC2086 # several words
  quiet apt_get install -q -y --no-install-recommends $missing
  missing=
}

# quiet COMMAND...: with its output in $log, the end of which is shown if it fails; then
# this is the end.
quiet() {
  printf '$ %s\n' "$*" >>"$log"
  if ! "$@" >>"$log" 2>&1; then
    tail -n 40 "$log" >&2
    say "this failed: $* (all of it is in $log)"
    exit 1
  fi
}

cores() {
  getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1
}

# build DIR OPTION...: configures and makes in the folder, which is made anew when the
# options are not those it was made with.
build() {
  dir=$1
  shift
  if [ -f "$dir/options" ] && [ "$(cat "$dir/options")" != "options: $*" ]; then
    rm -rf "$dir"
  fi
  mkdir -p "$dir" || exit 1
  printf 'options: %s\n' "$*" >"$dir/options"
  source=$PWD
  generated || quiet autoreconf -i
  if [ ! -f "$dir/config.status" ] ||
    [ -n "$(find configure -newer "$dir/config.status")" ]; then
    (cd "$dir" && quiet "$source/configure" "$@") || exit 1
  fi
  quiet make -C "$dir" -j "$(cores)"
}
