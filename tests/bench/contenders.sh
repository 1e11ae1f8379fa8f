# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154 # names are shared with who reads this
#
# contenders.sh: what the benchmark runs, each as its package starts it but for the number
# of tunnels it has room for; read by `.' behind lib.sh and peers.sh, never run.
#
# start_contender NAME sets
#   how       socks or plain
#   at        its TCP port, and at_udp, where datagrams go; that is empty if they cannot
#   pids      its processes; their children count as well
# and returns 1, and $why, if it cannot be had. stop_contender ends it.
#
# Ours log each tunnel to a file, as they do by default. Those of others log nothing, or
# to nowhere, and so have a little less to do.

ours="one-hop two-tier"
variants="one-hop-quiet two-tier-spare two-tier-pipelined"
others="microsocks dante ssh-D nginx haproxy socat"

start_dcsd() {
  cat >"$work/dcsd.conf" <<END
listen = "127.0.0.1:0";
log: { level = "$2"; };
timeouts: { drain = 0; };
END
  start dcsd "$1" -c "$work/dcsd.conf"
  pids=$pid
  at=$(port dcsd 1)
  how=socks
  at_udp=$at
}

# start_both FOLDER-OF-DCSD FOLDER-OF-PPP UPSTREAM
start_both() {
  start_dcsd "$1" info
  cat >"$work/ppp.conf" <<END
upstreams = ( { address = "127.0.0.1:$at"; $3 } );
timeouts: { drain = 0; };
routes = (
  { listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; },
  { listen = "127.0.0.1:0"; target = "127.0.0.1:$target"; protocol = "udp"; } );
END
  start ppp "$2" -c "$work/ppp.conf"
  pids="$pids $pid"
  at_udp=$(port ppp 1) # of both ports of a daemon that for datagrams is told first
  at=$(port ppp 2)
  how=plain
}

start_nginx() {
  module=/usr/lib/nginx/modules/ngx_stream_module.so
  at=$(free_port)
  {
    [ ! -e "$module" ] || printf 'load_module %s;\n' "$module"
    cat <<END
daemon off;
pid $work/nginx.pid;
worker_processes auto;
events { worker_connections 20000; }
stream {
  server { listen 127.0.0.1:$at; proxy_pass 127.0.0.1:$target; }
  server { listen 127.0.0.1:$at udp; proxy_pass 127.0.0.1:$target; }
}
END
  } >"$work/nginx.conf"
  how=plain
  at_udp=$at
  launch nginx "$at" nginx -e stderr -p "$work" -c "$work/nginx.conf"
}

# Two sockets for each tunnel, and two ends for each pipe, out of 20000.
start_haproxy() {
  at=$(free_port)
  cat >"$work/haproxy.cfg" <<END
global
  maxconn 9200
  maxpipes 500
defaults
  mode tcp
  option splice-request
  option splice-response
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen all
  bind 127.0.0.1:$at
  server target 127.0.0.1:$target
END
  how=plain
  launch haproxy "$at" haproxy -f "$work/haproxy.cfg"
}

start_socat() {
  at=$(free_port)
  how=plain
  launch socat "$at" socat "TCP-LISTEN:$at,bind=127.0.0.1,fork,backlog=1024,nodelay" \
    "TCP:127.0.0.1:$target,nodelay"
}

# start_peer NAME: as the caller has said, in $peers, a line NAME=COMMAND for each. A
# command that knows of the target is no SOCKS5 server.
start_peer() {
  command=$(printf '%s\n' "$peers" | sed -n "s/^$1=//p" | head -n 1)
  at=$(free_port)
  case $command in
  *'{target}'*) how=plain ;;
  esac
  command=$(printf '%s\n' "$command" | sed "s/{port}/$at/g; s/{target}/$target/g")
  launch peer "$at" sh -c "exec $command"
}

has_stream() {
  has nginx && { [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ||
    nginx -V 2>&1 | grep -q -e '--with-stream '; }
}

# has_contender NAME: whether it is on this machine.
has_contender() {
  case $1 in
  direct | one-hop | two-tier | one-hop-quiet | two-tier-spare | two-tier-pipelined) ;;
  *-previous) [ -n "$previous" ] ;;
  dante) has_dante ;;
  ssh-D) has_ssh ;;
  nginx) has_stream ;;
  microsocks | haproxy | socat) has "$1" ;;
  *) printf '%s\n' "$peers" | grep -q "^$1=" ;;
  esac
}

start_contender() {
  how=socks at_udp='' pids='' server=''
  case $1 in
  direct) how=plain at=$target at_udp=$target ;;
  one-hop) start_dcsd "$DCSD" info ;;
  one-hop-quiet) start_dcsd "$DCSD" notice ;;
  one-hop-previous) start_dcsd "$previous/dcsd" info ;;
  two-tier) start_both "$DCSD" "$PPPD_SOCKS" '' ;;
  two-tier-spare) start_both "$DCSD" "$PPPD_SOCKS" 'spare = 64;' ;;
  two-tier-pipelined) start_both "$DCSD" "$PPPD_SOCKS" 'handshake = "pipelined";' ;;
  two-tier-previous) start_both "$previous/dcsd" "$previous/pppd-socks" '' ;;
  microsocks) launch_microsocks ;;
  dante) launch_dante && at_udp=$at ;;
  ssh-D) launch_ssh && pids=$sshd_pid ;;
  nginx | haproxy | socat) "start_$1" ;;
  *) start_peer "$1" ;;
  esac || return 1
  pids="$pids $server"
}

stop_contender() {
  for each in $pids; do
    finish "$each" "process $each"
  done
}
