# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# netns.sh: a network for a script test alone, and a view of the files that it may cover;
# both are gone with its last process, so that fixed ports and addresses harm nobody. Read
# by `.' before lib.sh, never run.

# network_of_its_own TOOL...: runs the script again in one, if it does not run there yet;
# or skips it, where that or a tool is not to be had.
network_of_its_own() {
  [ -z "${NETWORK_OF_ITS_OWN:-}" ] || return 0
  PATH=$PATH:/usr/sbin:/sbin
  why=
  for tool in unshare mount ip "$@"; do
    command -v "$tool" >/dev/null 2>&1 || why="no $tool"
  done
  [ "$(id -u)" -eq 0 ] || why="not root"
  if [ -z "$why" ] && ! unshare --net --mount true 2>/dev/null; then
    why="no network namespace can be made"
  fi
  if [ -n "$why" ]; then
    printf 'SKIPPED: %s\n' "$why"
    exit 77
  fi
  NETWORK_OF_ITS_OWN=yes
  export NETWORK_OF_ITS_OWN
  exec unshare --net --mount --propagation private /bin/sh "$0"
}
