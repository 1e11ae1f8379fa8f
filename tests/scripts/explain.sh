#!/bin/sh
# SPDX-License-Identifier: ISC
#
# dcsd --explain: what it says and its exit status, for the rules of a file, the groups
# of a users file, and names that are looked up or not.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

# shellcheck disable=SC2016 # these are no variables
hash='$6$rounds=1000$saltsaltsalt$'
hash=$hash$(printf '%086d' 0 | tr 0 x)
printf 'ann:%s::::staff\n' "$hash" >"$work/users"
chmod 600 "$work/users"
cat >"$work/conf" <<END
auth: { methods = [ "password", "none" ]; users = "$work/users"; };
rules = (
  { name = "no-mail"; action = "deny"; ports = 25; },
  { name = "staff"; action = "allow"; users = "@staff"; targets = "192.0.2.0/24"; },
  { name = "web"; action = "allow"; clients = "10.0.0.0/8"; ports = [ 80, 443 ];
    targets = [ "*.example.com", "127.0.0.0/8", "::1" ]; } );
END

# ask STATUS QUESTION [OPTION...]: the answer is then in out and err.
ask() {
  status=$1 question=$2
  shift 2
  expect_run "$status" "$question" "$DCSD" -c "$work/conf" --explain "$question" "$@"
}

ask 0 "client=10.1.2.3 target=www.example.com:80" --no-resolve
expect_text out "rule 1 (no-mail) does not match: ports" "a rule that does not match"
expect_text out "may be allowed by rule 3 (web)" "a name that is not looked up"
ask 1 "client=10.1.2.3 cmd=connect target=192.0.2.1:25"
expect_text out "denied: rule 1 (no-mail)" "a rule that denies"
ask 1 "client=11.1.2.3 target=192.0.2.1:80"
expect_text out "rule 3 (web) does not match: clients" "the wrong client"
ok "addresses, names, and the field that does not match"

ask 0 "client=11.1.2.3 user=ann cmd=udp target=192.0.2.1:53"
expect_text out "allowed by rule 2 (staff)" "the groups of a user"
ask 1 "client=11.1.2.3 user=eve target=192.0.2.1:53"
expect_text out "no groups are known of user eve" "an unknown user"
ok "users and their groups"

if grep -qw localhost /etc/hosts 2>/dev/null; then
  ask 0 "client=10.1.2.3 target=localhost:80"
  expect_text out "allowed by rule 3 (web)" "each address of a name"
  ok "a name is looked up"
else
  skip_part "no localhost in /etc/hosts: no name is looked up"
fi

ask 64 "client=10.1.2.3"
expect_text err "client= and target= are wanted" "half a question"
ask 64 "client=10.1.2.3 target=192.0.2.1:80 colour=red"
ok "a bad question is exit 64"
