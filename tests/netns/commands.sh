#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The commands that run once and end, in a row, on every way that they can go; scripts/test has it run under
# valgrind, too. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

{
	iptables-nft -N DOCKER-USER && iptables-nft -A DOCKER-USER -j RETURN &&
		iptables-nft -A FORWARD -j DOCKER-USER
} || bail "no tables as Docker's"
hosts "198.51.100.1 one.example" "2001:db8::1 one.example"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2"},
	{"name": "ds-2", "subnet": "172.30.2.0/24"}]}
CONFIG
rules() # PORT
{
	firewall_config <<-CONFIG
		{"ipsets": {"s": ["one.example", "203.0.113.0/24", "10.0.0.1"]},
		"networks": {"ds-1": {
			"egress": [{"proto": "tcp", "ports": [80, "$1-9000"], "to": "ipset", "ipset": "s"},
				{"to": "host", "host": "one.example"}, {"proto": "icmp"}, {"action": "drop"}],
			"nat": [{"match_dport": 25, "to_host": "one.example", "to_port": $1}],
			"host": [{"proto": "udp", "ports": [53]}, {"action": "drop"}]},
		"ds-2": {"egress": [{"action": "drop"}], "mode": "audit"}}}
	CONFIG
}
# step DESCRIPTION STATUS PATTERN COMMAND [OPTION…]: of standard output and standard error
step()
{
	dsfw "${@:4}"
	like "$1" "$status $out$err" "^$2 .*$3"
}

rules 8080
step "the kernel would take it" 0 '' check --kernel
step "which it has not" 1 'table inet dockside: new' diff
for command in compile graph; do
	is "$command on a full disk" "$("$DSFW_NFT" $command --network-config $t/network.json \
		--firewall-config $t/firewall.json 2>&1 >/dev/full | grep ^error)" \
		"error: $command: write to standard output: No space left on device"
done
(umask 077 && dsfw compile -o $t/private.nft)
(umask 002 && dsfw compile -o $t/public.nft)
is "a new file goes by the umask" "$(stat -c %a $t/private.nft $t/public.nft | xargs)" "600 644"
hosts
step "a name without an address, in a script" 0 'one\.example: no address: [^;]*; rules on it match nothing$' compile --resolve
step "for the kernel, which may have some" 1 'one\.example: no address: [^;]*; rules on it match what the kernel already holds for it, or nothing$' diff
hosts "198.51.100.1 one.example" "2001:db8::1 one.example"
step "apply" 0 'applied: 2 managed networks; .*the shim' apply
step "nothing differs" 0 'no differences' diff
step "nor is there anything to apply" 0 'nothing to change' apply
rules 8081
step "the kernel would take another" 0 '' check --kernel
nft 'add chain inet dockside strange; add counter inet dockside odd; flush chain inet dockside ds-2-OUT
	delete element inet dockside ipset-s-v4 { 198.51.100.1 }; flush chain ip filter DOCKSIDE-DISPATCH'
step "what differs" 1 'chain strange: removed.*\+ 198.51.100.1 .*chain DOCKSIDE-DISPATCH' diff
step "is put right" 0 'applied: 2 managed networks' apply
step "all of it" 0 'no differences' diff
nft delete table inet dockside
firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "drop", "to": "nowhere"}]}}}'
step "a faulty configuration" 3 'nowhere' apply
step "is not compared, either" 3 'nowhere' diff
rules 8080
step "nothing but the shim was there" 0 'applied: 2 managed networks' apply
step "teardown" 0 'removed table inet dockside.*removed our chain' teardown
step "there is nothing more to remove" 0 'nothing to remove' teardown

# Root without the capability, as in a container; others lack the lock's directory, too.
for command in apply diff "check --kernel" teardown daemon; do
	read -ra words <<<"$command"
	said=$(setpriv --bounding-set=-net_admin --inh-caps=-net_admin timeout 60 "$DSFW_NFT" "${words[@]}" \
		--network-config $t/network.json --firewall-config $t/firewall.json 2>&1)
	like "$command without CAP_NET_ADMIN" "$? ${said##*$'\n'}" \
		"^1 error: ${words[0]}: .*Operation not permitted: it needs CAP_NET_ADMIN, as root has it$"
done
finish
