#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Privileges are given up for good, with all groups; and the chroot is entered. Needs root
# to have any. (FAULTS F16.)

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

is_root || skip "not root: there are no privileges to give up"
[ -r /proc/self/status ] || skip "no /proc, which tells the privileges"
has perl || skip "no perl, which is the client here"
uid=$(id -u nobody 2>/dev/null) || skip "no user nobody here"
gid=$(id -g nobody)
root_dir=$work/root
mkdir "$root_dir"

# field NAME: of /proc/PID/status, its values with single spaces.
field() {
  sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status" | tr -s '[:space:]' ' ' |
    sed 's/ $//'
}

# expect_dropped WHAT GID: every thread is nobody and can do nothing.
expect_dropped() {
  [ "$(field Uid)" = "$uid $uid $uid $uid" ] || fail "$1: Uid is $(field Uid)"
  [ "$(field Gid)" = "$2 $2 $2 $2" ] || fail "$1: Gid is $(field Gid)"
  case " $(field Groups) " in
  *' 0 '*) fail "$1: still in the group of root: $(field Groups)" ;;
  esac
  for set in CapEff CapPrm CapInh; do
    [ -z "$(field "$set" | tr -d 0)" ] || fail "$1: $set is $(field "$set")"
  done
  for task in "/proc/$pid/task"/*; do
    grep -q "^Uid:[[:space:]]${uid}[[:space:]]${uid}" "$task/status" ||
      fail "$1: thread ${task##*/} is someone else"
  done
}

# Becomes a root with one more group, which must be gone as well.
as_root() {
  if has setpriv; then
    exec setpriv --groups 0,4 "$@"
  else
    exec "$@"
  fi
}

for daemon in dcsd pppd-socks; do
  case $daemon in
  dcsd) program=$DCSD own_keys='listen = "127.0.0.1:0";' ;;
  *)
    program=$PPPD_SOCKS
    own_keys='routes = ( { listen = "127.0.0.1:0"; target = "127.0.0.1:9"; } );'
    ;;
  esac
  for how in key option group number; do
    printf '%s\n' "$own_keys" >"$work/conf"
    option=''
    group=$gid
    case $how in
    key) printf 'user = "nobody";\n' >>"$work/conf" ;;
    option)
      printf 'user = "no-such-user";\n' >>"$work/conf"
      option="-u nobody"
      ;;
    group)
      printf 'user = "nobody";\ngroup = "12345";\n' >>"$work/conf"
      group=12345
      ;;
    number) option="-u $uid:$gid" ;;
    esac
    # shellcheck disable=SC2086 # two words or none
    start "$daemon-$how" as_root "$program" -c "$work/conf" $option
    expect_dropped "$daemon by $how" "$group"
    stop "$pid"
  done
  ok "$daemon: user and group, by file and option, are taken for good"
done

# There is no /proc in the chroot, which a search for leaks would need.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

# In the background, with a pidfile in a folder that nobody may not write.
printf 'listen = "127.0.0.1:0";\nuser = "nobody";\nchroot = "%s";\npidfile = "%s";\n' \
  "$root_dir" "$work/pid" >"$work/conf"
expect_run 0 "chroot" "$DCSD" -c "$work/conf"
pid=$(cat "$work/pid")
own "$pid"
expect_dropped "chroot" "$gid"
[ "$(readlink "/proc/$pid/root")" = "$root_dir" ] ||
  fail "chroot: its root is $(readlink "/proc/$pid/root")"
[ "$(readlink "/proc/$pid/cwd")" = "$root_dir" ] || fail "chroot: it stands outside"
greet "$(ports_of "$pid")" || fail "chroot: it does not serve"
kill "$pid"
wait_for gone "$pid" || fail "chroot: it does not end"
forget "$pid"
[ -s "$work/pid" ] && fail "its pidfile still names it"
[ -z "$(ls -A "$root_dir")" ] || fail "something was left in the chroot"
rm -f "$work/pid"

# Names are still looked up from inside: localhost is in the hosts file or nowhere.
start resolve "$DCSD" -c "$work/conf"
rm -f "$work/pid"
if has curl; then
  start_target
  curl -sS -m "$patience_s" -o "$work/got" --socks5 "127.0.0.1:$(port resolve 1)" \
    "http://127.0.0.1:$target/" 2>"$work/err" || fail "chroot: it does not serve"
  expect_text got "Hello from the target" "chroot"
else
  skip_part "a tunnel from the chroot: no curl"
fi
stop "$pid"
ok "chroot: entered, served from, and nothing left"

printf 'listen = "127.0.0.1:0";\nchroot = "%s";\n' "$work/nowhere" >"$work/conf"
expect_run 1 "chroot to nowhere" "$DCSD" -c "$work/conf" -u nobody -p "$work/pid"
expect_text err "dcsd: chroot: No such file or directory" "chroot to nowhere"
[ -e "$work/pid" ] && fail "chroot to nowhere: a pidfile is left"
printf 'listen = "127.0.0.1:0";\n' >"$work/conf"
expect_run 1 "user root" "$DCSD" -f -c "$work/conf" -u root
expect_text err "this is root" "user root"
expect_run 1 "a group alone" "$DCSD" -f -c "$work/conf" -u nobody:no-such-group
expect_text err "no such group" "a group that is not"
ok "what cannot be dropped is a start that fails"

if has setpriv; then
  : >"$work/conf"
  expect_run 1 "privileged port" setpriv --reuid "$uid" --regid "$gid" --clear-groups \
    --bounding-set=-all "$DCSD" -f -l 127.0.0.1:80 -c "$work/conf"
  if grep -q 'Address already in use' "$work/err"; then
    skip_part "a privileged port without root: port 80 is taken"
  else
    expect_text err "dcsd: 127.0.0.1:80: Permission denied" "privileged port"
    ok "a privileged port without root is 'Permission denied'"
  fi
fi
