#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Start-up as the shell sees it: the command line, errors and exit statuses, and that the
# command returns when the daemon is ready and not before.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the client here"
[ -r /proc/net/tcp ] || skip "no /proc/net/tcp, which tells the ports here"

# both FUNCTION ARGUMENT...: for each daemon, with $daemon, its $program, and what it
# needs to start on a port that the system picks.
both() {
  daemon=dcsd program=$DCSD
  set_config() { printf 'listen = "127.0.0.1:%s";\n%s\n' "${2:-0}" "$1" >"$work/conf"; }
  set_config ""
  "$@"
  daemon=pppd-socks program=$PPPD_SOCKS
  set_config() {
    printf 'routes = ( { listen = "127.0.0.1:%s"; target = "127.0.0.1:9"; } );\n%s\n' \
      "${2:-0}" "$1" >"$work/conf"
  }
  set_config ""
  "$@"
}

command_line() {
  expect_run 0 "$daemon -V" "$program" -V
  grep -qx "$daemon (pppd-socks) [0-9][0-9.]*" "$work/out" || fail "$daemon -V"
  expect_run 0 "$daemon -h" "$program" -h
  for option in config foreground test pidfile user verbose version help; do
    expect_text out "--$option" "$daemon -h"
  done
  [ -s "$work/err" ] && fail "$daemon -h: writes to stderr"
  expect_run 64 "$daemon --nonsense" "$program" --nonsense
  expect_text err "$daemon: unknown option: --nonsense" "usage"
  expect_run 64 "$daemon -c" "$program" -c
  expect_text err "needs its argument FILE" "usage"
  expect_run 64 "$daemon and a word" "$program" word
  expect_text err "$daemon: unexpected argument: word" "usage"
  expect_run 64 "$daemon -f=1" "$program" --foreground=1
  [ -s "$work/out" ] && fail "usage errors: they write to stdout"
  ok "$daemon: -V, -h, and usage errors with 64"
}

config_is_checked() {
  expect_run 0 "$daemon -t" "$program" -t -c "$work/conf"
  grep -qx "$work/conf: ok" "$work/out" || fail "$daemon -t: no 'FILE: ok'"
  [ -s "$work/err" ] && fail "$daemon -t: writes to stderr"

  # Every error with its line; keys of later versions are unknown to this one.
  cp "$work/conf" "$work/conf.good"
  cat >>"$work/conf" <<'END'
nonsense = 1;
timeouts: {
  connect = 0;
  idle = "long";
};
limits: { tunnels = 4294967297; };
log: { level = "loud"; };
metrics = "later";
pidfile = "relative";
END
  first=$(wc -l <"$work/conf.good") # an empty line is its last
  expect_run 78 "$daemon -t" "$program" -t -c "$work/conf"
  [ -s "$work/out" ] && fail "$daemon -t: a bad file is told on stdout"
  for line in "1: unknown key 'nonsense'" "3: 'connect': not in the range" \
    "4: 'idle': a number of seconds is wanted" "6: 'tunnels': not in the range" \
    "7: 'level'" "8: unknown key 'metrics'" "9: 'pidfile': not an absolute path"; do
    at=$((first + ${line%%:*}))
    expect_text err "$daemon: $work/conf:$at:${line#*:}" "$daemon -t"
  done
  [ "$(wc -l <"$work/err")" -eq 7 ] || fail "$daemon -t: not one line for each error"
  cp "$work/err" "$work/err.test"
  expect_run 78 "start with a bad file" "$program" -c "$work/conf" -p "$work/pid"
  cmp -s "$work/err" "$work/err.test" || fail "$daemon: start and -t differ"
  [ -e "$work/pid" ] && fail "$daemon: a pidfile is left"
  case $daemon in
  dcsd) later="gssapi" ;;
  *) later="auth bind udp outgoing" ;;
  esac
  for key in $later; do
    set_config "$key = 1;"
    expect_run 78 "$daemon and '$key'" "$program" -t -c "$work/conf"
    expect_text err "unknown key '$key'" "$daemon -t"
  done
  set_config "pidfile = ;"
  expect_run 78 "$daemon and a syntax error" "$program" -t -c "$work/conf"
  expect_text err "$work/conf:2: syntax error" "$daemon -t"
  ok "$daemon: -t tells 'FILE: ok' or every error with its line"
}

# F1
config_is_missing() {
  for detach in "" -f; do
    # shellcheck disable=SC2086 # no option at all
    expect_run 78 "missing file" "$program" $detach -c "$work/nope" -p "$work/pid"
    expect_text err "$daemon: $work/nope: No such file or directory" "missing file"
    # shellcheck disable=SC2086
    expect_run 78 "folder as file" "$program" $detach -c "$work" -p "$work/pid"
    expect_text err "$daemon: $work: Is a directory" "folder as file"
  done
  [ -e "$work/pid" ] && fail "$daemon: a pidfile is left"
  if is_root && has setpriv; then
    chmod 0 "$work/conf"
    expect_run 78 "unreadable file" setpriv --reuid 65534 --clear-groups \
      "$program" -c "$work/conf"
    expect_text err "$daemon: $work/conf: Permission denied" "unreadable file"
  else
    skip_part "unreadable configuration: not root, or no setpriv"
  fi
  ok "$daemon: a configuration that cannot be read is 78"
}

command_returns_when_ready() {
  pidfile=$work/pid
  expect_run 0 "$daemon in the background" "$program" -c "$work/conf" -p "$pidfile"
  pid=$(cat "$pidfile") || fail "$daemon: no pidfile"
  own "$pid"
  kill -0 "$pid" || fail "$daemon: the pid in its pidfile is nobody's"
  port=$(ports_of "$pid")
  if [ "$daemon" = dcsd ]; then
    greet "$port" || fail "$daemon: the command returned before it was ready"
  else
    [ -n "$port" ] || fail "$daemon: the command returned before it was ready"
  fi
  for fd in 0 1 2; do
    [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ] ||
      fail "$daemon: fd $fd is not /dev/null"
  done
  [ "$(readlink "/proc/$pid/cwd")" = / ] || fail "$daemon: it stays in a folder"
  [ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 4)" != "$pid" ] ||
    fail "$daemon: it leads a session"

  # F8
  set_config "" "$port"
  expect_run 1 "$daemon on a taken port" "$program" -c "$work/conf" -p "$work/pid2"
  expect_text err "127.0.0.1:$port" "taken port"
  expect_text err "Address already in use" "taken port"
  [ -e "$work/pid2" ] && fail "$daemon: a pidfile is left"
  expect_run 1 "$daemon -f on a taken port" "$program" -f -c "$work/conf"
  expect_text err "Address already in use" "taken port"
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: it does not end"
  forget "$pid"
  [ -e "$pidfile" ] && fail "$daemon: its pidfile stays"

  set_config "pidfile = \"$work/configured\";"
  expect_run 0 "$daemon and a configured pidfile" "$program" -c "$work/conf"
  pid=$(cat "$work/configured")
  own "$pid"
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: it does not end"
  forget "$pid"
  ok "$daemon: the command returns when it is ready, or failed with 1"
}

start_fails() {
  expect_run 1 "unknown user" "$program" -c "$work/conf" -p "$work/pid" -u no-such-user
  expect_text err "no such user" "unknown user"
  expect_run 1 "unknown group" "$program" -c "$work/conf" -p "$work/pid" \
    -u nobody:no-such-group
  expect_text err "no such group" "unknown group"
  expect_run 1 "pidfile in no folder" "$program" -c "$work/conf" -p "$work/no/pid"
  expect_text err "$work/no/pid: No such file or directory" "pidfile in no folder"
  [ -e "$work/pid" ] && fail "$daemon: a pidfile is left"
  # F8: an address that this machine does not have (TEST-NET-1).
  if [ "$daemon" = dcsd ]; then
    expect_run 78 "an open relay" "$program" -t -l 192.0.2.1:0
    expect_text err "192.0.2.1:0: listening beyond loopback" "an open relay"
    expect_text err "open relay" "an open relay"
  else
    expect_run 1 "$daemon on a foreign address" "$program" -c "$work/conf" \
      -p "$work/pid" -L 192.0.2.1:0:127.0.0.1:9
    expect_text err "192.0.2.1:0" "a foreign address"
    expect_text err "Cannot assign requested address" "a foreign address"
    [ -e "$work/pid" ] && fail "$daemon: a pidfile is left"
  fi
  ok "$daemon: a start that fails says why, with 1"
}

# F14
starts_without_standard_fds() {
  "$program" -f -c "$work/conf" -p "$work/pid" <&- >&- 2>&- &
  pid=$!
  own "$pid"
  # shellcheck disable=SC2317
  listens() { [ -n "$(ports_of "$pid")" ]; }
  wait_for listens || fail "$daemon: it does not start with fds 0-2 closed"
  for fd in 0 1 2; do
    [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ] ||
      fail "$daemon: fd $fd is $(readlink "/proc/$pid/fd/$fd")"
  done
  stop "$pid"
  ok "$daemon: fds 0-2 that are closed at the start become /dev/null"
}

# F15: $1 is a signal set of /proc/PID/status, $2 a signal. Whether it is in it.
in_set() {
  set_hex=$(sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status")
  digit=$(printf '%s' "$set_hex" | cut -c $((${#set_hex} - ($2 - 1) / 4)))
  [ $(((0x$digit >> (($2 - 1) % 4)) & 1)) -eq 1 ]
}
starts_clean() {
  exec 9<"$work/conf"
  mkdir "$work/elsewhere"
  (
    trap '' TERM HUP CHLD
    umask 0
    cd "$work/elsewhere" && exec env -i "$program" -c "$work/conf" -p "$work/pid"
  ) || fail "$daemon: it does not start in odd circumstances"
  exec 9<&-
  pid=$(cat "$work/pid") || fail "$daemon: no pidfile"
  own "$pid"
  for fd in "/proc/$pid/fd"/*; do
    [ "$(readlink "$fd")" = "$work/conf" ] && fail "$daemon: it keeps an inherited fd"
  done
  in_set SigIgn 15 && fail "$daemon: SIGTERM is still ignored"
  in_set SigIgn 1 && fail "$daemon: SIGHUP is still ignored"
  in_set SigIgn 17 && fail "$daemon: SIGCHLD is still ignored"
  case $(sed -n 's/^Umask:[[:space:]]*//p' "/proc/$pid/status") in
  *[2367][2367]|'') ;; # older systems do not tell
  *) fail "$daemon: what it makes may be written by others" ;;
  esac
  rmdir "$work/elsewhere" || fail "$daemon: it stays in its folder"
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: SIGTERM does not end it"
  forget "$pid"
  ok "$daemon: inherited fds, signals and umask do no harm"
}


# A relative -p is of the folder that the command was given in.
relative_pidfile() {
  (cd "$work" && "$program" -c conf -p relative.pid) || fail "$daemon: relative paths"
  pid=$(cat "$work/relative.pid") || fail "$daemon: a relative pidfile is lost"
  own "$pid"
  kill "$pid"
  wait_for gone "$pid" || fail "$daemon: it does not end"
  forget "$pid"
  [ -e "$work/relative.pid" ] && fail "$daemon: a relative pidfile stays"
  ok "$daemon: relative -c and -p are of the folder of the command"
}

built_in_defaults() {
  expect_run 0 "dcsd with no file" "$DCSD" -t
  grep -qxE '(built-in defaults|/.*/dcsd\.conf): ok' "$work/out" ||
    fail "dcsd with no file: $(cat "$work/out")"
  expect_run 0 "pppd-socks with -L alone" "$PPPD_SOCKS" -t -L 127.0.0.1:0:localhost:80
  grep -qxE '(built-in defaults|/.*/pppd-socks\.conf): ok' "$work/out" ||
    fail "pppd-socks with no file: $(cat "$work/out")"
  if grep -q built-in "$work/out"; then
    expect_run 78 "pppd-socks with no route" "$PPPD_SOCKS" -t
    expect_text err "there is no route" "pppd-socks with no route"
  fi
  ok "without a file the built-in defaults serve"
}

dcsd_checks() {
  printf 'listen = [ "127.0.0.1:1081", "127.0.0.1:1081" ];\n' >"$work/conf"
  expect_run 78 "an address twice" "$DCSD" -t -c "$work/conf"
  expect_text err "$work/conf:1: 'listen': 127.0.0.1:1081: this address" \
    "an address twice"
  printf '\nlisten = "*:1081";\n' >"$work/conf"
  expect_run 78 "open relay" "$DCSD" -t -c "$work/conf"
  expect_text err "dcsd: $work/conf:2:" "open relay"
  expect_text err "open relay" "open relay"
  expect_run 0 "-l replaces listen" "$DCSD" -t -c "$work/conf" -l 127.0.0.1:1081
  ok "dcsd: duplicate addresses and an open relay are refused"
}

ppp_checks() {
  cat >"$work/conf" <<'END'
routes = (
  { listen = 8887; target = "127.0.0.1:1"; },
  { listen = "*:8887"; target = "127.0.0.1:2"; },
  { listen = "127.0.0.1:8888"; target = "nowhere"; },
  { listen = "127.0.0.1:8889"; gssapi = true; }
);
END
  expect_run 78 "bad routes" "$PPPD_SOCKS" -t -c "$work/conf"
  expect_text err "$work/conf:3: 'listen': *:8887: this address" "an address twice"
  expect_text err "$work/conf:4: 'target': nowhere: a port must follow" "no port"
  expect_text err "$work/conf:5: unknown key 'gssapi'" "a key of a later version"
  expect_text err "$work/conf:5: a route needs 'target'" "a route without target"
  cat >"$work/conf" <<'END'
upstreams = ( { address = "127.0.0.1:8887"; } );
routes = ( { listen = 8887; target = "127.0.0.1:1"; } );
END
  expect_run 78 "upstream is itself" "$PPPD_SOCKS" -t -c "$work/conf"
  expect_text err "$work/conf:1: upstream '127.0.0.1:8887' is one of the listening" \
    "upstream is itself"
  expect_run 0 "two upstreams" "$PPPD_SOCKS" -t -c "$work/conf" \
    -s 127.0.0.1:1 -s 127.0.0.1:2
  expect_run 64 "an upstream twice" "$PPPD_SOCKS" -t -s 127.0.0.1:1 -s 127.0.0.1:1
  expect_text err "-s 127.0.0.1:1: this upstream is there already" "an upstream twice"
  expect_run 64 "bad route" "$PPPD_SOCKS" -t -L 8887:host
  ok "pppd-socks: routes and upstreams that cannot be are refused"

  printf 'secret\n' >"$work/secret"
  chmod 644 "$work/secret"
  cat >"$work/conf" <<END
upstreams = (
  { address = "127.0.0.1:1"; username = "ppp"; password_file = "$work/secret"; }
);
routes = ( { listen = 8887; target = "127.0.0.1:1"; } );
END
  expect_run 78 "a password that all can read" "$PPPD_SOCKS" -t -c "$work/conf"
  expect_text err "$work/conf:2: 'password_file': $work/secret: group or others" \
    "a password that all can read"
  chmod 600 "$work/secret"
  expect_run 0 "a password file" "$PPPD_SOCKS" -t -c "$work/conf"
  ok "pppd-socks: a password file is read, and only its owner may read it"
}

for check in command_line config_is_checked config_is_missing \
  command_returns_when_ready start_fails starts_without_standard_fds starts_clean \
  relative_pidfile; do
  both "$check"
done
built_in_defaults
dcsd_checks
ppp_checks
