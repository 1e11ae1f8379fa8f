# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# peers.sh: servers that others wrote, started for a test or for the benchmark, on free
# ports of 127.0.0.1; read by `.' behind lib.sh, never run. Each launch_... sets $at, the
# port, and $server, its process; it returns 1 when the server ends at once, and the last
# line of its log is in $why.

: "${work:?}" # of lib.sh
PATH=$PATH:/usr/sbin:/sbin # danted, sshd and others

# A port that is free, and will most likely stay so for a moment.
free_port() {
  perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

accepts() {
  perl -MIO::Socket::INET -e '
    exit !IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift)' "$1"
}
accepts_or_gone() {
  accepts "$1" || gone "$2"
}

# launch NAME PORT COMMAND...: a server; $server. Returns 1: it ended, $why.
launch() {
  name_of=$1
  listens_at=$2
  shift 2
  "$@" >"$work/$name_of.log" 2>&1 </dev/null &
  server=$!
  own "$server"
  wait_for accepts_or_gone "$listens_at" "$server" || fail "$name_of does not listen"
  # shellcheck disable=SC2034 # for who reads this
  why=$(tail -n 1 "$work/$name_of.log")
  ! gone "$server"
}

finish() {
  kill "$1" 2>/dev/null
  wait_for gone "$1" || fail "$2 does not end"
  wait "$1" 2>/dev/null
  forget "$1"
}

# launch_microsocks ARGUMENT...
launch_microsocks() {
  at=$(free_port)
  launch microsocks "$at" microsocks -i 127.0.0.1 -p "$at" "$@"
}

# It gives up root to nobody.
has_dante() {
  is_root || return 1
  for dante in danted sockd; do
    ! has "$dante" || return 0
  done
  return 1
}

launch_dante() {
  at=$(free_port)
  cat >"$work/dante.conf" <<END
logoutput: stderr
internal: 127.0.0.1 port = $at
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {
  from: 127.0.0.0/8 to: 127.0.0.0/8
}
socks pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: bind connect udpassociate
}
socks pass {
  from: 0.0.0.0/0 to: 127.0.0.0/8
  command: bindreply udpreply
}
END
  launch dante "$at" "$dante" -f "$work/dante.conf" -p "$work/dante.pid"
}

has_ssh() {
  has ssh && has ssh-keygen && has sshd
}

# A folder that sshd wants to have when it is root, where nobody else sees it.
launch_sshd() {
  if is_root && [ ! -d /run/sshd ]; then
    set -- unshare --mount --propagation private /bin/sh -c '
      mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' sh "$@"
  fi
  launch sshd "$at" "$@"
}

make_ssh_keys() {
  for key in host user; do
    [ -s "$work/$key" ] || ssh-keygen -q -t ed25519 -N '' -f "$work/$key" \
      >"$work/out" 2>"$work/err" || fail "ssh-keygen makes no key"
  done
}

# launch_ssh: ssh -D, to an sshd that is ours alone, the process of which is $sshd_pid.
launch_ssh() {
  at=$(free_port)
  make_ssh_keys
  cat >"$work/sshd.conf" <<END
ListenAddress 127.0.0.1:$at
HostKey $work/host
AuthorizedKeysFile $work/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
END
  launch_sshd "$(command -v sshd)" -D -e -f "$work/sshd.conf" || return 1
  # shellcheck disable=SC2034 # for who reads this
  sshd_pid=$server
  sshd_at=$at
  at=$(free_port)
  launch ssh "$at" ssh -F /dev/null -i "$work/user" -p "$sshd_at" -N \
    -D "127.0.0.1:$at" -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o "UserKnownHostsFile=$work/known" -o ExitOnForwardFailure=yes \
    "$(id -un)@127.0.0.1"
}
