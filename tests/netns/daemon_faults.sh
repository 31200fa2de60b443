#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# System calls that fail under a running daemon: who asked is told, and the daemon looks at everything again
# by itself, as what it meant to do may have been done by half. TAP.
# shellcheck disable=SC2317 # until_true calls functions
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
type -p strace >/dev/null || bail "no strace"

network_config <<<'{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}]}'
write_rules() # PORT
{
	firewall_config <<<"{\"networks\": {\"ds-1\": {\"egress\": [{\"proto\": \"tcp\", \"ports\": [$1]}, {\"action\": \"drop\"}]}}}"
}
in_kernel() # PORT
{
	nft list chain inet dockside ds-1-OUT | matches "tcp dport $1 "
}

is_traced() # or not: "0"
{
	local pid
	pid=$(awk '/^TracerPid:/ { print $2 }' /proc/"$daemon_pid"/status)
	if [[ ${1:-} == 0 ]]; then
		[[ $pid == 0 ]]
	else
		[[ $pid != 0 ]]
	fi
}
# begin_faults OPTION…: of strace
begin_faults()
{
	strace -q -o $t/trace -p "$daemon_pid" "$@" 2>$t/strace &
	tracer=$!
	until_true 10 is_traced || bail "the daemon cannot be traced: $(<$t/strace)"
}
end_faults()
{
	kill "$tracer"
	wait "$tracer" 2>/dev/null
	until_true 10 is_traced 0 || bail "strace does not let go"
}
# This message comes within 5 s, however slow the machine.
repair_failed()
{
	logged '^error: repair: .*; trying again in 5 s'
}

write_rules 80
start_listening
start_daemon
# The daemon's first questions are answered.
until_true 5 prints '^absent$' of docker state

# ---- reconcile -----------------------------------------------------------------------------------

# Nothing but what the kernel answers about its rules comes by recvmsg, and its events, of which there are none.
begin_faults -e trace=recvmsg -e inject=recvmsg:error=EIO
client reconcile
like "reconcile fails, and says why" "$status $err" '^1 .*Input/output error'
result "a repair is tried, as nobody knows what has been done" "$(until_true 3 repair_failed || life)"
end_faults
before=$(life | wc -l)
client reconcile --json
like "the next one works" "$status $out" '^0 .*"repaired": ?\[\]'
sleep 5.5
is "the daemon is content" "$(life | tail -n +$((before + 1)) | grep -v '^socket: ')" ""

# ---- reload --------------------------------------------------------------------------------------

# All that the daemon hears once the kernel has taken the new rules is lost.
write_rules 81
begin_faults -e trace=recvmsg,sendmsg
client reload
is "a reload" "$status" 0
end_faults
heard=$(sed '/sendmsg(/,$d' $t/trace | grep -c 'recvmsg(')
write_rules 82
client status # and it has heard all of that reload
begin_faults -e trace=recvmsg,sendmsg -e inject=recvmsg:error=EIO:when=$((heard + 1))+
client reload
like "reload fails" "$status $err" '^1 .*Input/output error'
is "after the kernel has taken it" "$(in_kernel 82 && echo yes)" yes
end_faults
result "the daemon goes back to what runs" "$(until_true 8 in_kernel 81 || nft list table inet dockside)"
result "and says so" "$(until_true 2 logged 'a policy could not be enforced.*; put back 1 chains' || life)"
client reload
is "the next reload works" "$status $(in_kernel 82 && echo yes)" "0 yes"
end_daemon TERM
is "a good end" "$status" 0
finish
