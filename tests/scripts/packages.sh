#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The packages: Debian's are built and lintian has nothing against them; installed in a
# system that is thrown away afterwards (the root filesystem with a layer of memory over
# it, in namespaces of its own, so that its ports and processes are nobody else's), they
# start, serve, are upgraded with a tunnel in use, and are removed without a trace. The
# spec file is built as well. PACKAGES=no skips all that: it takes a minute.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

daemons="dcsd pppd-socks"

# --- Inside the system that is thrown away; $1 is "inside", $2 the folder of packages.

request() {
  curl -q -sS -m 10 --noproxy '*' http://127.0.0.1:8887/through-both >"$work/got" 2>&1 &&
    grep -q 'You asked for /through-both' "$work/got"
}

# What of the daemons is on the disk.
traces() {
  find /etc /usr /lib /var /run -xdev \( -name '*dcsd*' -o -name '*pppd-socks*' -o \
    -name '*tunnelctl*' -o -name '*socks5-probe*' \) ! -path "$packages/*" | sort
}

# daemon_pid DAEMON: of the one that has the pidfile.
daemon_pid() {
  cat "/run/$1.pid" 2>/dev/null
}
running() {
  running_pid=$(daemon_pid "$1")
  [ -n "$running_pid" ] && ! gone "$running_pid"
}
# renewed DAEMON: what has the pidfile is the program that is installed now.
renewed() {
  [ "$(readlink "/proc/$(daemon_pid "$1")/exe")" = "/usr/sbin/$1" ]
}
has_tunnel() {
  tunnelctl -s "/run/$1/$1.ctl" tunnels 2>"$work/err" | grep -q 127.0.0.1:8891
}

# dpkg ARGUMENT...: must succeed.
dpkg_does() {
  DEBIAN_FRONTEND=noninteractive dpkg "$@" >"$work/dpkg.log" 2>&1 </dev/null ||
    fail "dpkg $*"
}

installs() {
  dpkg_does -i "$packages"/dcsd_*.deb "$packages"/pppd-socks_*.deb
  for daemon in $daemons; do
    running "$daemon" || fail "$daemon was not started"
    [ "$(stat -c %U "/proc/$(daemon_pid "$daemon")")" = "$daemon" ] ||
      fail "$daemon does not run as its own user"
  done
  expect_run 0 "a request through both" request
  ok "installed, they are started as users of their own and serve"
}

restarts() {
  for daemon in $daemons; do
    expect_run 0 "restart of $daemon" "/etc/init.d/$daemon" restart
    expect_run 0 "tunnelctl after a restart of $daemon" \
      tunnelctl -s "/run/$daemon/$daemon.ctl" status
  done
  expect_run 0 "a request after a restart" request
  ok "the init scripts restart them"
}

upgrades() {
  echo '# changed by hand' >>/etc/dcsd.conf
  hold client 8887 1 ''
  for daemon in $daemons; do
    wait_for has_tunnel "$daemon" || fail "$daemon does not show the tunnel"
  done
  old=$(daemon_pid dcsd)
  dpkg_does --force-confold -i "$packages"/newer/*.deb
  gone "$old" && fail "the upgrade ended dcsd, and with it its tunnels"
  ss -Htn state established dport = :8887 | grep -q . || fail "the upgrade cut the tunnel"
  if grep -q UPGRADE_FD /usr/sbin/dcsd; then
    for daemon in $daemons; do
      wait_for renewed "$daemon" || fail "the old $daemon did not hand over"
    done
  else
    skip_part "the old programs go on: they do nothing at USR2"
    kill "$pid"
  fi
  wait_for request || fail "no request gets through after the upgrade"
  grep -q '^# changed by hand$' /etc/dcsd.conf || fail "the upgrade lost a changed file"
  grep -q '^# newer$' /etc/pppd-socks.conf || fail "the upgrade kept an unchanged file"
  ok "upgraded, they keep tunnels, serve, and changed files stay as they were"
}

# no_process DAEMON: also none that finishes its tunnels.
no_process() {
  ! readlink /proc/[0-9]*/exe | grep -q "^/usr/sbin/$1"
}

# The programs that both packages have outlive one of them.
removes() {
  dpkg_does -r dcsd
  wait_for no_process dcsd || fail "dcsd runs after its removal"
  [ -e /etc/dcsd.conf ] || fail "the removal took the configuration along"
  expect_run 0 "tunnelctl of the other package" tunnelctl --version
  : >/etc/dcsd.users
  : >/var/log/dcsd.log
  dpkg_does -P dcsd pppd-socks
  wait_for no_process pppd-socks || fail "pppd-socks runs after its removal"
  traces >"$work/after"
  diff "$work/before" "$work/after" >"$work/out" || fail "something is left on the disk"
  for daemon in $daemons; do
    getent passwd "$daemon" && fail "the user $daemon is left"
    getent group "$daemon" && fail "the group $daemon is left"
  done
  ok "removed and purged, they leave nothing"
}

if [ "${1:-}" = inside ]; then
  packages=$2
  PATH=/usr/sbin:/usr/bin:/sbin:/bin
  traces >"$work/before"
  : >"$work/target.log"
  perl "$top/contrib/httpd" 127.0.0.1:8891 >"$work/target.log" 2>&1 </dev/null &
  own $!
  wait_for log_has target 'listening on' || fail "the target did not start"
  installs
  restarts
  upgrades
  removes
  exit 0
fi

# --- Outside.

[ "${PACKAGES:-}" != no ] || skip "PACKAGES=no"
for tool in dpkg-buildpackage dh lintian xz; do
  has "$tool" || skip "no $tool"
done
dpkg-checkbuilddeps "$top/contrib/debian/control" >"$work/out" 2>&1 ||
  skip "$(cat "$work/out")"

"$top/contrib/build-deb" "$work/debs" >"$work/build.log" 2>&1 || fail "build-deb"
ok "the packages are built"

lintian --allow-root --no-cfg --profile debian --fail-on error,warning \
  "$work/debs"/*.changes >"$work/lintian.log" 2>&1 || fail "lintian complains"
ok "lintian has no error and no warning"

# newer DEB: the same with a higher version and a changed configuration.
newer() (
  set -e
  tree=$work/tree
  mkdir "$tree"
  dpkg-deb -R "$1" "$tree"
  sed -i 's/^Version: .*/&+1/' "$tree/DEBIAN/control"
  for conf in "$tree"/etc/*.conf; do
    echo '# newer' >>"$conf"
  done
  dpkg-deb -Znone -b "$tree" "$work/debs/newer/" >"$work/out"
  rm -r "$tree"
)

builds_rpm() {
  has rpmbuild || {
    skip_part "the spec file is not tried: no rpmbuild"
    return
  }
  mkdir -p "$work/rpm/SOURCES"
  version=$(sed -n 's/^Version: *//p' "$top/contrib/rpm/pppd-socks.spec")
  cp "$work/debs/pppd-socks_$version.orig.tar.xz" \
    "$work/rpm/SOURCES/pppd-socks-$version.tar.xz" || fail "the spec is of $version"
  # Those it needs are known by names of Debian here, and quickly is good enough.
  rpmbuild --nodeps --define "_topdir $work/rpm" --define 'optflags -O0' \
    --define 'debug_package %{nil}' -ba "$top/contrib/rpm/pppd-socks.spec" \
    >"$work/rpm.log" 2>&1 || fail "rpmbuild"
  ok "the spec file builds"
}
builds_rpm

is_root || skip "the rest needs root, to install them in a system of their own"
for tool in unshare ip ss curl perl adduser; do
  has "$tool" || skip "the rest needs $tool"
done
mkdir "$work/debs/newer"
for deb in "$work"/debs/dcsd_*.deb "$work"/debs/pppd-socks_*.deb; do
  newer "$deb" || fail "$deb cannot be packed again"
done

cat >"$work/enter" <<'END'
# Status 77: such a system cannot be made here.
set -u
packages=$1 top=$2 mnt=$3
mount -t tmpfs tmpfs "$mnt" && mkdir "$mnt/upper" "$mnt/work" "$mnt/root" &&
  mount -t overlay -o "lowerdir=/,upperdir=$mnt/upper,workdir=$mnt/work" overlay \
    "$mnt/root" || exit 77
cd "$mnt/root" || exit 77
mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
  mount -t tmpfs tmpfs tmp && ip link set lo up || exit 77
# No init runs there; invoke-rc.d wants to know the runlevel all the same.
rm -f usr/sbin/policy-rc.d sbin/runlevel
printf '#!/bin/sh\necho N 2\n' >sbin/runlevel && chmod 755 sbin/runlevel
mkdir tmp/packages tmp/source
cp -R "$packages/." tmp/packages && cp -R "$top/contrib" "$top/tests" tmp/source ||
  exit 77
export srcdir=/tmp/source
exec chroot . sh "$srcdir/tests/scripts/packages.sh" inside /tmp/packages
END
mkdir "$work/mnt"
unshare --mount --net --pid --ipc --uts --fork --kill-child \
  sh "$work/enter" "$work/debs" "$top" "$work/mnt" >"$work/inside.log" 2>&1 </dev/null
status=$?
grep -E '^(ok|SKIPPED in part): ' "$work/inside.log"
[ "$status" -ne 77 ] || skip "no system of its own: $(tail -n 1 "$work/inside.log")"
[ "$status" -eq 0 ] || fail "in the system of its own"
