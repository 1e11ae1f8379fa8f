#!/bin/sh
# SPDX-License-Identifier: ISC
#
# HUP and dcsd: what a tunnel that there is, and a request that comes, are judged by;
# what is counted and remembered over it; and on_reload = "cut".

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has perl || skip "no perl, which is the client here"
perl -MDigest::MD5 -MTime::HiRes -e 1 2>/dev/null || skip "a perl without its modules"

perl "$top/tests/scripts/socks.pl" echo >"$work/echo.log" 2>&1 </dev/null &
own $!
wait_for grep -q . "$work/echo.log" || fail "no echo"
echo=$(cat "$work/echo.log")

# talk NAME [USER PASSWORD]: asks for a tunnel to the echo; what it was answered is in
# $answer. park: the same, but it does not ask before a USR1.
talk() {
  client talk "$@"
}
park() {
  client park "$@"
}
client() {
  how=$1 name=$2
  shift 2
  : >"$work/$name.log"
  perl "$top/tests/scripts/socks.pl" "$how" "127.0.0.1:$dcsd_port" "127.0.0.1:$echo" \
    "$@" >"$work/$name.log" 2>&1 </dev/null &
  own $!
  echo $! >"$work/$name.pid"
  wait_for grep -q . "$work/$name.log" || fail "$name: no answer"
  answer=$(head -n 1 "$work/$name.log")
}

# expect_talk ANSWER NAME [USER PASSWORD]
expect_talk() {
  expected=$1
  shift
  talk "$@"
  [ "$answer" = "$expected" ] || fail "$1: '$answer' instead of '$expected'"
}

# lives NAME: bytes go through its tunnel. goes NAME: it ends it.
lives() {
  it=$(cat "$work/$1.pid")
  name=$1 echoes=$(log_count "$1" echo)
  kill -USR1 "$it" || fail "$1: it has ended"
  more() { [ "$(log_count "$name" echo)" -gt "$echoes" ]; }
  wait_for more || fail "$1: its tunnel does not live"
}
goes() {
  it=$(cat "$work/$1.pid")
  kill "$it"
  wait_for gone "$it"
  forget "$it"
}

# expect_asks ANSWER NAME: one that was parked.
expect_asks() {
  it=$(cat "$work/$2.pid") name=$2
  kill -USR1 "$it" || fail "$2: it has ended"
  answered() { [ "$(wc -l <"$work/$name.log")" -ge 2 ]; }
  wait_for answered || fail "$2: no answer"
  answer=$(sed -n 2p "$work/$2.log")
  [ "$answer" = "$1" ] || fail "$2: '$answer' instead of '$1'"
}

# configure REST: writes the configuration; one address to listen at all the time.
configure() {
  printf 'listen = "127.0.0.1:0";\ntimeouts: { drain = 0; };\n%s\n' "$1" >"$work/conf"
}
begin() {
  configure "$1"
  start dcsd "$DCSD" -c "$work/conf"
  dcsd=$pid dcsd_port=$(port dcsd 1)
}

# reloads [WORD]: it takes what stands in the file, or tells of it with that word.
reloads() {
  word="reload: ${1:-done}"
  told=$(log_count dcsd "$word")
  kill -HUP "$dcsd"
  tells() { [ "$(log_count dcsd "$word")" -gt "$told" ]; }
  wait_for tells || fail "HUP: the log does not tell '$word'"
}

ended() {
  grep -qE "$1" "$work/dcsd.log"
}

# ---- rules ----

all='rules = ( { name = "all"; action = "allow"; } );'
begin "$all"
expect_talk rep=0 old
configure 'rules = ( { name = "none"; action = "deny"; } );'
reloads
expect_talk rep=2 denied
wait_for log_has dcsd ' rule=none ' ||
  fail "the new request was not judged by the new rule"
lives old
configure "$all"
reloads
expect_talk rep=0 new
lives old
lives new
goes old
wait_for ended ' rule=all .* end=client-' || fail "the old tunnel has no line in the log"
ok "a tunnel goes on under the rule that let it in, a request is judged by the new ones"

configure 'rules = ( { name = "none"; action = "deny"; } );
limit: { tunnels = 1; };
rules = 5;'
reloads failed
wait_for log_has dcsd "reload: $work/conf:" || fail "the log does not name file and line"
expect_talk rep=0 still
lives new
goes still
goes new
stop "$dcsd"
ok "an error in the file is told with its line, and changes nothing"

# ---- counts ----

hash() {
  # shellcheck disable=SC2016 # of crypt(3)
  perl -e 'print crypt(shift, q($5$rounds=1000$salt$))' "$1"
}
users=$work/users
write_users() {
  : >"$users"
  chmod 600 "$users"
  for each in "$@"; do
    printf '%s:%s::%s\n' "${each%=*}" "$(hash secret)" "${each#*=}" >>"$users"
  done
}
auth() {
  printf 'auth: { methods = "password"; users = "%s"; %s };' "$users" "${1-}"
}

write_users ann=1 bob=0
begin "$(auth) rules = ( { name = \"all\"; action = \"allow\"; limit = 2; } );"
expect_talk rep=0 ann ann secret
configure "$(auth) rules = ( { action = \"deny\"; ports = 9; },
  { name = \"all\"; action = \"allow\"; limit = 2; } );"
reloads
expect_talk rep=2 ann2 ann secret
wait_for log_has dcsd "the user's limit is reached" || fail "it was not the user's limit"
expect_talk rep=0 bob bob secret
expect_talk rep=2 bob2 bob secret
wait_for log_has dcsd "the rule's limit is reached" || fail "it was not the rule's limit"
goes ann
wait_for ended 'user=ann .* end=client-' || fail "ann's tunnel does not end"
expect_talk rep=0 ann3 ann secret
lives bob
stop "$dcsd"
ok "the limits of users and rules count the tunnels of before a reload"

begin "$(auth 'penalties: { after = 2; first = 600; most = 600; };') $all"
expect_talk "no service" wrong ann wrong
reloads
expect_talk "no service" wrong2 ann wrong
wait_for log_has dcsd auth-refused || fail "the failure before the reload does not count"
reloads
expect_talk "no service" right ann secret
wait_for log_has dcsd "turned away: its source is refused" ||
  fail "the penalty is forgotten"
stop "$dcsd"
ok "failed passwords, and the penalty for them, outlive a reload"

# ---- clients that wait before they ask ----

write_users ann=0 bob=0
begin "$(auth) $all"
park ann ann secret
park bob bob secret
write_users bob=0
configure "$(auth) rules = ( { name = \"new\"; action = \"allow\"; } );"
reloads
expect_asks rep=2 ann
expect_asks rep=0 bob
goes bob
wait_for ended 'user=bob rule=new .* end=client-' || fail "bob was not judged anew"
park bob2 bob secret
configure 'rules = ( { action = "deny"; } );'
reloads
expect_asks rep=2 bob2
stop "$dcsd"
begin "$all"
park none
park none2
configure "$all limits: { per_client = 2; };"
reloads
expect_asks rep=0 none
configure "$(auth) $all"
reloads
expect_asks rep=2 none2
lives none
goes none
stop "$dcsd"
ok "the request of a client that was parked is judged by the new configuration"

# ---- what is gone ----

write_users ann=0 bob=0
begin "$(auth) rules = (
  { name = \"ann\"; action = \"allow\"; users = \"ann\"; },
  { name = \"bob\"; action = \"allow\"; users = \"bob\"; } );"
expect_talk rep=0 ann ann secret
expect_talk rep=0 bob bob secret
write_users bob=0
reloads
lives ann
ok "a tunnel whose user is gone stays"

# Its tunnels are of before the last reload, and of the one before.
expect_talk rep=0 bob2 bob secret
configure "$(auth) on_reload = \"cut\"; rules = (
  { name = \"ann\"; action = \"allow\"; users = \"ann\"; },
  { name = \"bob\"; action = \"allow\"; users = \"bob\"; } );"
reloads
wait_for ended 'user=ann rule=ann .* end=killed' || fail "ann's tunnel was not cut"
wait_for log_has ann end || fail "ann's tunnel has no end for its client"
wait_for log_has dcsd 'reload: 1 tunnel' || fail "the log does not tell how many were cut"
lives bob
lives bob2
expect_talk "no service" ann2 ann secret
ok "with on_reload = \"cut\" it is cut, and no other"

expect_talk rep=0 bob3 bob secret
configure "$(auth) on_reload = \"cut\"; rules = (
  { name = \"bob\"; action = \"deny\"; ports = 9; },
  { action = \"allow\"; users = \"bob\"; } );"
reloads
for each in bob bob2 bob3; do
  wait_for log_has "$each" end || fail "$each: a tunnel whose rule denies now stays"
done
[ "$(grep -c 'user=bob rule=bob .* end=killed' "$work/dcsd.log")" -eq 3 ] ||
  fail "not three tunnels of bob are killed"
expect_talk rep=0 unnamed bob secret
configure "$(auth) on_reload = \"cut\"; rules = ( { action = \"deny\"; } );"
reloads
lives unnamed
ok "a tunnel whose rule is gone is cut, where the rule has a name"

kill -QUIT "$dcsd"
expect_end "$dcsd" 0 QUIT
