#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The DNS gate, hours later: its clock is put forward. TAP.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/gate_lib.sh
. "$here/gate_lib.sh"

later=${TOP_BUILDDIR:-$here/../..}/tests/netns/later.so
[[ -e $later ]] || bail "no later.so"
export LATER=$t/later

# it_is SECONDS: later than at the start
it_is()
{
	printf '%020d' "$1" 1<>$LATER
}

is_open()
{
	elements one-told4 | grep -c ' 11\.0\.0\.1 '
}

it_is 0
upstream 9.9.9.10
document 9.9.9.10 '"www.good.test", "ftp.good.test"' '' 1 >$t/policy
DSFW_NFT="env LD_PRELOAD=$later $DSFW_NFT" start_gate
asks a1 www.good.test,A ftp.good.test,A >/dev/null
set_policy 9.9.9.10 '"ftp.good.test"' '' 2
is "a name leaves whose address another one has had just now: it stays open" "$(is_open)" 1
set_policy 9.9.9.10 '"www.good.test", "ftp.good.test"' '' 3
it_is 4000 # 3900 is the life of an address
asks a1 www.good.test,A >/dev/null
set_policy 9.9.9.10 '"ftp.good.test"' '' 4
is "another one has had it an hour ago: it is closed" "$(is_open)" 0
is "until that one has it again" "$(asks a1 ftp.good.test,A) $(is_open)" "0 11.0.0.1 1"
it_is 9000
set_policy 9.9.9.10 '"ftp.good.test", "news.good.test"' '' 5
is "it stays for those who have gone on connecting, where no name leaves" "$(is_open)" 1
finish
