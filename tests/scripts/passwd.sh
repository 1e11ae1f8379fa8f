#!/bin/sh
# SPDX-License-Identifier: ISC
#
# dcsd-passwd: what becomes of the file, from the command line, from the terminal, and
# when many run at a time.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

DCSD_PASSWD=$(absolute "${DCSD_PASSWD:-./dcsd-passwd}")
[ -x "$DCSD_PASSWD" ] || fail "there is no $DCSD_PASSWD"
users=$work/users

# As run, but with a line of standard input.
passwd_with() {
  printf '%s\n' "$1" >"$work/password"
  shift
  "$DCSD_PASSWD" "$@" >"$work/out" 2>"$work/err" <"$work/password"
}

# expect_passwd STATUS WHAT PASSWORD ARGUMENT...
expect_passwd() {
  expected=$1
  what=$2
  shift 2
  passwd_with "$@"
  status=$?
  [ "$status" -eq "$expected" ] || fail "$what: exit status $status instead of $expected"
}

# shape: the file, each hash as H.
shape() {
  sed 's/^\([^#:]*\):[^:]*/\1:H/' "$users"
}

# expect_shape WHAT LINE...
expect_shape() {
  what=$1
  shift
  printf '%s\n' "$@" >"$work/want"
  shape >"$work/got"
  diff "$work/want" "$work/got" >&2 || fail "$what: not the file that was wanted"
}

# hash_of NAME
hash_of() {
  sed -n "s/^$1:\([^:]*\).*/\1/p" "$users"
}

mode_of() {
  # shellcheck disable=SC2012 # one file, of a plain name
  ls -l "$1" | cut -c 1-10
}

# A new file, whatever the umask.
(umask 0 && passwd_with secret "$users" ann) || fail "a new file: it is not made"
expect_shape "a new file" ann:H
[ "$(mode_of "$users")" = -rw------- ] || fail "a new file: $(mode_of "$users")"
[ ! -s "$work/out" ] || fail "there is output"
ok "a new file is made, for its owner alone"

expect_passwd 0 "a second user" other -e 2030-12-31 -m 5 \
  -n 10.0.0.0/8,2001:db8::/32 -g staff,ops "$users" bob
all='2030-12-31:5:10.0.0.0/8,[2001:db8::/32]:staff,ops'
expect_shape "a second user" ann:H "bob:H:$all"
old=$(hash_of bob)
expect_passwd 0 "a new password" third "$users" bob
[ "$(hash_of bob)" != "$old" ] || fail "a new password: the hash is the old one"
expect_shape "a new password" ann:H "bob:H:$all"
old=$(hash_of bob)
expect_passwd 0 "fields alone" '' -k -e '' -n '' -g night "$users" bob
[ "$(hash_of bob)" = "$old" ] || fail "-k: the hash is another one"
expect_shape "fields alone" ann:H bob:H::5::night
expect_passwd 0 "no fields" '' -k -m '' -g '' "$users" bob
expect_shape "no fields" ann:H bob:H
ok "what is not given stays, what is empty goes"

{
  printf '# The users.\n\n'
  cat "$users"
  printf '#ann:old\nsomething:that:is:wrong\nann2:x'
} >"$work/edited"
cp "$work/edited" "$users"
expect_passwd 0 "a change among others" fourth "$users" ann
expect_shape "a change among others" '# The users.' '' ann:H bob:H '#ann:old' \
  something:H:is:wrong ann2:H
expect_passwd 0 "a new one behind" fifth "$users" zoe
expect_passwd 0 "a removal" '' -D "$users" bob
expect_shape "a removal" '# The users.' '' ann:H '#ann:old' something:H:is:wrong \
  ann2:H zoe:H
ok "comments, order and other lines are kept"

cp "$users" "$work/before"
same_as_before() {
  cmp -s "$users" "$work/before" || fail "$1: the file was changed"
  [ -z "$(find "$work" -name 'users.*')" ] || fail "$1: it leaves a file"
}
expect_passwd 1 "removal of nobody" '' -D "$users" nobody
expect_text err "there is no such user" "removal of nobody"
expect_passwd 1 "change of nobody" '' -k -m 1 "$users" nobody
expect_passwd 1 "an empty password" '' "$users" ann
expect_passwd 1 "a long password" "$(printf '%0256d' 0)" "$users" ann
expect_text err "255 bytes at most" "a long password"
: >"$work/password"
expect_run 1 "no password" "$DCSD_PASSWD" "$users" ann
for wrong in "-e 2030-02-30" "-e tomorrow" "-m -1" "-m many" "-n 10.0.0.1/8" \
  "-g a:b" "-M rot13" "-k" "-D -m 1" "-D -k" "-x"; do
  # shellcheck disable=SC2086 # words
  expect_passwd 64 "$wrong" secret $wrong "$users" ann
done
for wrong in '' a:b '#a' '@a' '*' ' a'; do
  expect_passwd 64 "the name '$wrong'" secret "$users" "$wrong"
done
expect_passwd 64 "no name" secret "$users"
expect_passwd 64 "a word too many" secret "$users" ann bob
printf 'ann:x\nann:y\n' >>"$users"
cp "$users" "$work/before"
expect_passwd 1 "a user that is there twice" secret "$users" ann
same_as_before "what is refused"
expect_passwd 0 "removal of all of a name" '' -D "$users" ann
! grep -q '^ann:' "$users" || fail "removal of all of a name: there is one"
expect_passwd 1 "a folder" secret "$work" ann
expect_passwd 1 "no folder" secret "$work/none/users" ann
expect_passwd 1 "removal without a file" '' -D "$work/none" ann
[ ! -e "$work/none" ] || fail "removal without a file: it makes one"
ok "what is refused leaves the file alone"

expect_run 0 "-h" "$DCSD_PASSWD" -h
expect_text out "FILE NAME" "-h"
expect_run 0 "-V" "$DCSD_PASSWD" --version
expect_text out "dcsd-passwd (" "-V"

# The link stays a link, and a file that others could read is that no more.
rm -f "$users"
: >"$work/real"
chmod 644 "$work/real"
ln -s real "$users"
expect_passwd 0 "by a link" secret "$users" ann
[ -h "$users" ] || fail "by a link: it is none any more"
[ "$(mode_of "$work/real")" = -rw------- ] || fail "the mode is not made right"
if is_root; then
  chown 65534 "$work/real"
  expect_passwd 0 "of another" secret "$users" ann
  # shellcheck disable=SC2012 # one file, of a plain name
  [ "$(ls -ln "$work/real" | awk '{ print $3 }')" -eq 65534 ] ||
    fail "the owner is another one now"
  ok "links, modes and owners"
else
  skip_part "not root: the owner is not looked at"
  ok "links and modes"
fi
rm -f "$users" "$work/real"

# Twenty at a time: none may be lost. The file is not there before.
n=20
i=0
pids=
while [ "$i" -lt "$n" ]; do
  i=$((i + 1))
  printf 'secret%d\n' "$i" | "$DCSD_PASSWD" -M sha512 "$users" "user$i" \
    2>>"$work/many.log" &
  pids="$pids $!"
  own $!
done
for each in $pids; do
  wait "$each" || fail "one of $n at a time has failed"
  forget "$each"
done
[ "$(grep -c '^user[0-9]*:.6.rounds=' "$users")" -eq "$n" ] ||
  fail "$(wc -l <"$users") entries of $n are there"
ok "$n at a time lose nothing"

# On a terminal, which script(1) makes. What is typed is seen in the typescript, if the
# program lets it be.
if has script && script -qefc true /dev/null </dev/null >/dev/null 2>&1; then
  # type_at PROMPT WORD
  asks() {
    grep -q "$1" "$work/typescript" 2>/dev/null
  }
  type_at() {
    wait_for asks "$1" || fail "on a terminal: there is no '$1'"
    printf '%s\n' "$2" >&3
  }
  # on_terminal FIRST SECOND: $status is that of the program.
  on_terminal() {
    rm -f "$work/keys" "$work/typescript"
    mkfifo "$work/keys"
    SHELL=/bin/sh script -qefc "$DCSD_PASSWD $users tim" "$work/typescript" \
      <"$work/keys" >/dev/null 2>&1 &
    script_pid=$!
    own "$script_pid"
    exec 3>"$work/keys"
    type_at 'New password for tim' "$1"
    type_at 'The same again for tim' "$2"
    wait_for gone "$script_pid" || fail "on a terminal: it does not end"
    exec 3>&-
    wait "$script_pid"
    status=$?
    forget "$script_pid"
    ! grep -qe "$1" -e "$2" "$work/typescript" ||
      fail "on a terminal: the password is shown"
  }
  on_terminal top-secret top-secret
  [ "$status" -eq 0 ] || fail "on a terminal: exit status $status"
  [ -n "$(hash_of tim)" ] || fail "on a terminal: the user is not there"
  old=$(hash_of tim)
  on_terminal top-secret top-sacred
  [ "$status" -eq 1 ] || fail "two passwords: exit status $status"
  [ "$(hash_of tim)" = "$old" ] || fail "two passwords: the hash is another one"
  ok "on a terminal it is asked for twice, and not shown"
else
  skip_part "there is no script(1), which makes a terminal"
fi

! grep -rqe secret "$users" || fail "a password stands in the file"
ok "no password stands in the file"
