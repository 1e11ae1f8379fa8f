#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The pidfile of a daemon in the background: one daemon for each, whatever was left in its
# place, and never a write to anything else. (FAULTS F10 to F13, F28.)

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

[ -d /proc/self/fd ] || skip "no /proc, which tells who runs here"

# In a folder of its own, so that what is left is seen.
mkdir "$work/run"
pidfile=$work/run/pid
printf 'listen = "127.0.0.1:0";\n' >"$work/conf"

start_daemon() {
  expect_run 0 "$1" "$DCSD" -c "$work/conf" -p "$pidfile"
  pid=$(cat "$pidfile") || fail "$1: no pidfile"
  [ "$(cat "/proc/$pid/comm")" = dcsd ] || fail "$1: pid $pid is not dcsd"
  own "$pid"
}

end_daemon() {
  kill "$pid"
  wait_for gone "$pid" || fail "it does not end"
  forget "$pid"
  [ -z "$(ls -A "$work/run")" ] || fail "left in the folder: $(ls -lA "$work/run")"
}

# refused WHAT TEXT: to start with that pidfile.
refused() {
  expect_run 1 "$1" "$DCSD" -c "$work/conf" -p "$pidfile"
  expect_text err "dcsd: $pidfile: $2" "$1"
}

start_daemon "first start"
first=$pid
for try in 1 2; do
  refused "second start ($try)" "already running (pid $first)"
done
expect_run 1 "second start in the foreground" "$DCSD" -f -c "$work/conf" -p "$pidfile"
expect_text err "already running (pid $first)" "second start in the foreground"
[ "$(cat "$pidfile")" = "$first" ] || fail "the second start changed the pidfile"
gone "$first" && fail "the second start ended the first"
ok "a second start is refused and the first is left alone"
end_daemon
ok "after SIGTERM the pidfile is gone"

start_daemon "start to be killed"
kill -9 "$pid"
wait_for gone "$pid" || fail "SIGKILL does not end it"
forget "$pid"
[ -s "$pidfile" ] || fail "no pidfile after SIGKILL: this test tests nothing"
start_daemon "start after SIGKILL"
end_daemon
ok "after SIGKILL it starts again"

# The number in it does not count, only the lock: also where that process lives.
sleep 600 &
foreign=$!
own "$foreign"
for stale in 1 "$foreign" 99999999 "" nonsense; do
  printf '%s\n' "$stale" >"$pidfile"
  start_daemon "stale pidfile with '$stale'"
  end_daemon
done
gone "$foreign" && fail "the process in a stale pidfile was ended"
ok "a stale pidfile is taken over, and who is named in it is left alone"

printf 'precious\n' >"$work/precious"
ln -s "$work/precious" "$pidfile"
refused "pidfile is a symbolic link" "Too many levels of symbolic links"
[ -L "$pidfile" ] || fail "the symbolic link was removed"
rm "$pidfile"
ln "$work/precious" "$pidfile"
refused "pidfile is a second name" "Operation not permitted"
rm "$pidfile"
[ "$(cat "$work/precious")" = precious ] || fail "the file linked to was written"
ln -s "$work/nowhere" "$pidfile"
refused "pidfile is a dangling link" ""
[ -e "$work/nowhere" ] && fail "a file was made through a symbolic link"
rm "$pidfile"
mkfifo "$pidfile"
refused "pidfile is a FIFO" ""
[ -p "$pidfile" ] || fail "the FIFO was removed"
rm "$pidfile"
mkdir "$pidfile"
refused "pidfile is a folder" ""
rmdir "$pidfile"
if is_root; then
  printf '1\n' >"$pidfile"
  chown 65534 "$pidfile"
  refused "pidfile is another's" "Operation not permitted"
  rm "$pidfile"
else
  skip_part "a pidfile of another owner: not root"
fi
ok "links, FIFOs, folders and other people's files are refused and left alone"

# A file that another has put in the place of ours is not ours to remove.
start_daemon "start"
rm "$pidfile"
printf 'another\n' >"$pidfile"
kill "$pid"
wait_for gone "$pid" || fail "it does not end"
forget "$pid"
[ "$(cat "$pidfile")" = another ] || fail "a file that is not its own was changed"
rm "$pidfile"
ok "a file put in its place is left alone"

mkdir "$work/mount"
export work DCSD
if ! is_root || ! unshare -m mount -t tmpfs none "$work/mount" 2>/dev/null; then
  skip_part "full and read-only file systems: mount is not allowed here"
  exit 0
fi
# shellcheck disable=SC2016 # the inner shell expands
expect_run 0 "full file system" unshare -m sh -c '
  mount -t tmpfs -o size=4k none "$work/mount" || exit 70
  dd if=/dev/zero of="$work/mount/full" bs=4k count=1 2>/dev/null
  "$DCSD" -c "$work/conf" -p "$work/mount/pid"
  [ $? -eq 1 ] || exit 71
  [ ! -e "$work/mount/pid" ] || exit 72
  : >"$work/mount/pid" # one that was there is stale
  "$DCSD" -c "$work/conf" -p "$work/mount/pid"
  [ $? -eq 1 ] || exit 73
  mount -o remount,ro "$work/mount" || exit 74
  "$DCSD" -c "$work/conf" -p "$work/mount/pid2"
  [ $? -eq 1 ] || exit 75'
expect_text err "dcsd: $work/mount/pid: No space left on device" "full file system"
expect_text err "dcsd: $work/mount/pid2: Read-only file system" "read-only file system"
ok "a full or read-only file system is told, and no empty pidfile left"
