#!/bin/sh
# SPDX-License-Identifier: ISC
#
# PAM instead of a users file. pam_wrapper (Debian: libpam-wrapper) gives dcsd a folder of
# services of its own, and pam_matrix users; the system's PAM is not touched.

# shellcheck source=lib.sh
. "${srcdir:-.}/tests/scripts/lib.sh"

has curl || skip "no curl, which is the client here"
has perl || skip "no perl, which is the target here"

# find_file NAME: in the folders of libraries, or in $PAM_WRAPPER_PREFIX.
find_file() {
  find ${PAM_WRAPPER_PREFIX:+"$PAM_WRAPPER_PREFIX"} /usr/lib /usr/lib64 /usr/local/lib \
    -name "$1" 2>/dev/null | head -n 1
}
wrapper=$(find_file libpam_wrapper.so)
[ -n "$wrapper" ] || wrapper=$(find_file 'libpam_wrapper.so.*')
matrix=$(find_file pam_matrix.so)
if [ -z "$wrapper" ] || [ -z "$matrix" ]; then
  skip "no pam_wrapper (Debian: libpam-wrapper)"
fi

# A preloaded library and a sanitizer that wants to be the first do not go together.
if grep -q -e __asan_init -e __tsan_init "$DCSD"; then
  skip "built with a sanitizer, which is not to be preloaded over"
fi

cat >"$work/conf" <<'END'
listen = "127.0.0.1:0";
auth = { methods = [ "password" ]; pam = "dcsd"; };
END
run "$DCSD" -t -c "$work/conf"
! grep -q 'without PAM' "$work/err" || skip "dcsd was built without PAM"
expect_run 0 "dcsd -t" "$DCSD" -t -c "$work/conf"

mkdir "$work/services"
printf 'ann:secret:dcsd\nbob:sesame:elsewhere\n' >"$work/passdb"
cat >"$work/account" <<END
#!/bin/sh
printf '%s %s %s\n' "\$PAM_USER" "\$PAM_RHOST" "\$PAM_SERVICE" >>"$work/accounts"
test "\$PAM_USER" != zoe
END
chmod 755 "$work/account"
printf 'zoe:secret:dcsd\n' >>"$work/passdb"
: >"$work/accounts"
cat >"$work/services/dcsd" <<END
auth required $matrix passdb=$work/passdb
account required $matrix passdb=$work/passdb
END
exec_module=$(find /lib /usr/lib /usr/lib64 -name pam_exec.so 2>/dev/null | head -n 1)
if [ -n "$exec_module" ]; then
  printf 'account required %s quiet %s\n' "$exec_module" "$work/account" \
    >>"$work/services/dcsd"
fi

start_target
start dcsd env LD_PRELOAD="$wrapper" PAM_WRAPPER=1 \
  PAM_WRAPPER_SERVICE_DIR="$work/services" "$DCSD" -c "$work/conf"
dcsd=$(port dcsd 1)
dcsd_pid=$pid

# expect_curl STATUS WHAT CREDENTIALS
expect_curl() {
  expect_run "$1" "$2" curl -sS -m "$patience_s" -o "$work/got" \
    --socks5 "127.0.0.1:$dcsd" ${3:+--proxy-user "$3"} \
    "http://127.0.0.1:$target/bytes/100000"
}

expect_curl 0 "the right password" ann:secret
[ "$(wc -c <"$work/got")" -eq 100000 ] || fail "the right password: not all of it came"
named() { log_has dcsd 'user=ann '; }
wait_for named || fail "the user is not in the log"
ok "curl with the right password"

# 97: the proxy said no.
expect_curl 97 "a wrong password" ann:secre
expect_curl 97 "an unknown user" eve:secret
expect_curl 97 "a user of another service" bob:sesame
expect_curl 97 "no password" ""
failed() { [ "$(log_count dcsd 'end=auth-failed')" -ge 3 ]; }
wait_for failed || fail "the failures are not in the log"
! grep -qwe secret -e secre -e sesame "$work/dcsd.log" || fail "a password is in the log"
ok "curl with what is wrong"

if [ -n "$exec_module" ]; then
  grep -qx "ann 127.0.0.1 dcsd" "$work/accounts" ||
    fail "PAM was not told the client's address: $(cat "$work/accounts")"
  expect_curl 97 "an account that may not" zoe:secret
  ok "the account is asked for, with the client's address"
else
  skip_part "no pam_exec.so: what PAM is told is not looked at"
fi

expect_curl 0 "the right password again" ann:secret
stop "$dcsd_pid"
