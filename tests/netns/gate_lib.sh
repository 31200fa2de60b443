# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by the scripts about the gate's process, after lib.sh: two networks with a container each, name servers, rules
# written by hand, and the gate as another user. The names that were asked of 9.9.9.10 are in $t/asked.
uid=4711
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null' EXIT

in_net() # NAMESPACE COMMAND…
{
	nsenter --net=/run/netns/"$1" "${@:2}"
}

gate_py() # NAMESPACE COMMAND…
{
	in_net "$1" python3 "$here/gate.py" "${@:2}" 2>&1
}

# asks NAMESPACE QUESTION…: what the gate answers, a line each
asks()
{
	gate_py "$1" ask 8.8.8.8 "${@:2}"
}

rules()
{
	nft -f - <<-END
		table inet dockside {
			set dns-gate { type ifname; elements = { "br-a", "br-b" }; }
			set dns-never4 { type ipv4_addr; flags interval; auto-merge
				elements = { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16,
					172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.168.0.0/16, 198.18.0.0/15,
					198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3 }
			}
			set dns-never6 { type ipv6_addr; flags interval; auto-merge
				elements = { ::/8, 64:ff9b::/96, 64:ff9b:1::/48, 100::/64, 2001::/23, 2001:db8::/32,
					2002::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8 }
			}
			set dns-private4 { type ifname . ipv4_addr; flags interval; elements = { "br-b" . 10.9.0.0/16 }; }
			set one-told4 { type ifname . ipv4_addr; flags dynamic,timeout; size 65536; }
			set one-told6 { type ifname . ipv6_addr; flags dynamic,timeout; size 65536; }
			set two-told4 { type ifname . ipv4_addr; flags dynamic,timeout; size 65536; }
			set two-told6 { type ifname . ipv6_addr; flags dynamic,timeout; size 65536; }
			chain prerouting-dns { type nat hook prerouting priority dstnat - 1; policy accept
				iifname @dns-gate meta l4proto { tcp, udp } th dport 53 counter redirect to :5300
			}
			chain input { type filter hook input priority filter - 1; policy accept
				meta l4proto { tcp, udp } th dport 5300 iifname @dns-gate ct status dnat counter accept
				meta l4proto { tcp, udp } th dport 5300 counter drop
			}
			chain forward { type filter hook forward priority filter - 1; policy accept
				iifname @dns-gate meta l4proto { tcp, udp } th dport { 53, 853 } counter drop
				ct state established accept
				iifname . ip daddr @one-told4 tcp dport 443 update @one-told4 { iifname . ip daddr timeout 3900s } counter accept
				iifname . ip6 daddr @one-told6 tcp dport 443 update @one-told6 { iifname . ip6 daddr timeout 3900s } counter accept
				iifname @dns-gate tcp dport 1-65535 counter reject with tcp reset
				iifname @dns-gate counter drop
			}
			chain dns-told { type filter hook output priority raw - 1; policy accept
				meta skuid $uid udp sport 5301 goto dns-tell
			}
			chain dns-tell {
				meta nfproto ipv4 fib daddr type != unicast counter goto dns-refuse
				meta nfproto ipv6 fib saddr type { local, broadcast, anycast, multicast } counter goto dns-refuse
				ip daddr @dns-never4 oifname . ip daddr != @dns-private4 counter goto dns-refuse
				ip6 saddr @dns-never6 counter goto dns-refuse
				udp dport vmap { 1 : goto tell-one, 32769 : goto untell-one, 2 : goto tell-two, 32770 : goto untell-two }
				goto dns-refuse
			}
			chain tell-one {
				update @one-told4 { oifname . ip daddr timeout 3900s } counter drop
				update @one-told6 { oifname . ip6 saddr timeout 3900s } counter drop
				goto dns-refuse
			}
			chain untell-one {
				meta nfproto ipv4 delete @one-told4 { oifname . ip daddr } counter drop
				meta nfproto ipv6 delete @one-told6 { oifname . ip6 saddr } counter drop
			}
			chain tell-two {
				update @two-told4 { oifname . ip daddr timeout 3900s } counter drop
				update @two-told6 { oifname . ip6 saddr timeout 3900s } counter drop
				goto dns-refuse
			}
			chain untell-two {
				meta nfproto ipv4 delete @two-told4 { oifname . ip daddr } counter drop
				meta nfproto ipv6 delete @two-told6 { oifname . ip6 saddr } counter drop
			}
			chain dns-refuse { meta nfproto ipv4 counter reject with icmp type admin-prohibited; counter drop; }
		}
	END
}

# document SERVER NAMES-OF-ONE NAMES-OF-TWO: standard output
document()
{
	cat <<-END
		{"version": 1, "generation": "g-${4:-1}", "upstream": ["$1"],
		 "lists": [{"slot": 1, "set": "one", "names": [$2]}, {"slot": 2, "set": "two", "names": [$3]},
			{"slot": 0, "set": "", "names": ["*.corp.test"]}],
		 "networks": [
			{"name": "ds-a", "bridge": "br-a", "lists": [0, 1, 2], "ipv6": true, "life": 3900, "types": ["MX", "SRV", "TXT"],
			 "private": [], "size": ${5:-65536}, "audit": false},
			{"name": "ds-b", "bridge": "br-b", "lists": [2], "ipv6": false, "life": 3900, "types": [],
			 "private": ["10.9.0.0/16"], "size": 65536, "audit": ${6:-false}}]}
	END
}

# set_policy…: document's arguments; takes it by SIGHUP
set_policy()
{
	document "$@" >$t/policy.new && mv $t/policy.new $t/policy
	kill -HUP "$gate"
	until_true 5 grep -q "policy g-${4:-1} taken" $t/gate.log || result "policy ${4:-1}" "$(tail -n 3 $t/gate.log)"
}

start_gate()
{
	$DSFW_NFT gate --user $uid --policy $t/policy 2>$t/gate.log &
	gate=$!
	pids+=("$gate")
	until_true 5 grep -q 'taken' $t/gate.log || bail "the gate does not start: $(<$t/gate.log)"
}

upstream() # ADDRESS
{
	in_net outside python3 "$here/gate.py" serve "$1" $t/asked 2>$t/upstream.log &
	pids+=("$!")
	until_true 5 prints "${1//./\\.}:53" in_net outside ss -Hlun || bail "no name server"
}

# The questions since the last time, one a line, sorted.
asked()
{
	sort -u $t/asked
	: >$t/asked
}

outside 9.9.9.9/32 9.9.9.10/32 || bail "outside"
ip -n outside route add local 11.0.0.0/8 dev lo
ip -n outside route add local 2a00::/16 dev lo
bridge br-a 10.1.0.1/24 fd00:a::1/64 && bridge br-b 10.2.0.1/24 fd00:b::1/64 || bail "bridges"
container a1 br-a 10.1.0.2 fd00:a::2 && container b1 br-b 10.2.0.2 fd00:b::2 || bail "containers"
in_net outside python3 -c '
import socket
s = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)
while True:
    s.accept()[0].close()' &
pids+=("$!")
: >$t/asked
rules
upstream 9.9.9.10
