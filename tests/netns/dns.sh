#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Names against a real DNS server, in a network and mount namespace with an /etc of its own. TAP.
set -u -o pipefail

if [[ ${1:-} != --inside ]]; then
	self=$(realpath "$0")
	build=${TOP_BUILDDIR:-$(dirname "$self")/../..}
	dir=$(mktemp -d) || exit 1
	trap 'rm -rf "$dir"' EXIT
	unshare -n -m --propagation private "$self" --inside "$dir" "$(realpath "$build")"
	exit
fi
dir=$2
probe=$3/tests/netns/dns_probe
here=$(dirname "$(realpath "$0")")

# shellcheck source=tests/tap.sh
. "$here/../tap.sh"

# faster DESCRIPTION MILLISECONDS: than that was the last probe
faster()
{
	local took
	took=$(<"$dir/took")
	is "$1" "$([[ -n $took && $took -lt $2 ]] && echo yes || echo "no: $took ms")" yes
}

# server ZONE: zone.py on 127.0.0.2 with the zone on standard input
server()
{
	cat >"$1"
	python3 "$here/zone.py" serve "$1" "$dir/answers" 127.0.0.2 2>"$dir/zone.log" &
	zone=$!
	trap 'kill "$dnsmasq" "$zone"; wait "$dnsmasq" "$zone" 2>/dev/null' EXIT
	for _ in $(seq 600); do
		[[ -n $(ss -Hlun 'src 127.0.0.2:53') ]] && return
		sleep 0.1
	done
	echo "Bail out! no second name server"
	exit 1
}

probe()
{
	local begin
	begin=$(calm)
	"$probe" "$@"
	calm_since "$begin" >"$dir/took"
}

# resolv_conf LINE…: the name servers and such
resolv_conf()
{
	printf '%s\n' "$@" >/etc/resolv.conf
}

set_up()
{
	cp -a /etc "$dir/etc" && mount --bind "$dir/etc" /etc || return
	rm -f /etc/resolv.conf /etc/hosts /etc/nsswitch.conf
	echo 'hosts: files dns' >/etc/nsswitch.conf
	printf '%s\n' '127.0.0.1 localhost' '198.51.100.7 static.example Alias' \
		'2001:db8::7 static.example' '0.0.0.0 blocked.example' >/etc/hosts
	# The sender never hears of packets that the input hook drops: 127.0.0.53 is a silent server.
	ip link set lo up && nft 'add table inet t
		add chain inet t input { type filter hook input priority 0; }
		add rule inet t input ip daddr 127.0.0.53 drop' || return

	for i in $(seq 500); do
		echo "10.1.$((i / 250)).$((i % 250 + 1)) n$i.example"
	done >"$dir/hosts"
	for i in $(seq 40); do
		echo "10.2.0.$i long.example"
	done >>"$dir/hosts"
	for i in $(seq 300); do
		echo "10.3.$((i / 250)).$((i % 250 + 1)) endless.example"
	done >>"$dir/hosts"
	cat >"$dir/dnsmasq.conf" <<-END
		no-resolv
		no-hosts
		listen-address=127.0.0.1
		bind-interfaces
		user=root
		pid-file=
		local-ttl=45
		local=/example/
		addn-hosts=$dir/hosts
		host-record=both.example,10.0.0.1,2001:db8::1,60
		host-record=v4.example,10.0.0.4,30
		host-record=v6.example,2001:db8::6,30
		host-record=static.example,10.0.0.99
		host-record=blocked.example,10.0.0.99
		host-record=null.example,0.0.0.0,::
		cname=alias.example,both.example,20
		address=/wild.example/10.66.66.66
		address=/wild.example/2001:db8::666
	END
	dnsmasq -k -C "$dir/dnsmasq.conf" >"$dir/dnsmasq.log" 2>&1 &
	dnsmasq=$!
	trap 'kill "$dnsmasq"; wait "$dnsmasq" 2>/dev/null' EXIT
	for _ in $(seq 600); do
		[[ -n $(ss -Hltn 'sport = :53') ]] && return
		sleep 0.1
	done
	return 1
}

if ! set_up >"$dir/set-up.log" 2>&1; then
	sed 's/^/# /' "$dir"/*.log
	echo "Bail out! no name server"
	exit 1
fi

resolv_conf 'nameserver 127.0.0.1'
is "both families, their smallest TTL" "$(probe 3000 both.example)" \
	"both.example dns 60 10.0.0.1 2001:db8::1"
is "one family is enough" "$(probe 3000 v4.example v6.example)" \
	"v4.example dns 30 10.0.0.4
v6.example dns 30 2001:db8::6"
is "an alias, whose TTL counts too" "$(probe 3000 alias.example)" \
	"alias.example dns 20 10.0.0.1 2001:db8::1"
is "a name that does not exist fails" "$(probe 3000 nosuch.example)" \
	"nosuch.example failed: no such name"
is "unspecified addresses are none" "$(probe 3000 null.example)" \
	"null.example failed: no address"
is "40 addresses, more than a datagram holds" \
	"$(probe 3000 long.example | tr ' ' '\n' | grep -c '^10\.2\.')" 40
is "256 addresses of one name are taken" \
	"$(probe 3000 endless.example | tr ' ' '\n' | grep -c '^10\.3\.')" 256
is "/etc/hosts goes before DNS and is static" "$(probe 3000 static.example alias)" \
	"alias static 198.51.100.7
static.example static 198.51.100.7 2001:db8::7"
is "a name that /etc/hosts blocks is not asked of DNS" "$(probe 3000 blocked.example)" \
	"blocked.example failed: no address"
is "what only looks like an address is not taken for one" "$(probe 3000 01.2.3.4 127.1)" \
	"01.2.3.4 failed: not a name that DNS could have
127.1 failed: not a name that DNS could have"
is "literals are not asked of DNS" "$(probe 3000 10.9.9.9 2001:db8::9)" \
	"10.9.9.9 static 10.9.9.9
2001:db8::9 static 2001:db8::9"

# Word splitting is wanted: names.
# shellcheck disable=SC2046
names=$(printf 'n%s.example ' $(seq 500))
# shellcheck disable=SC2086
is "500 names at once" "$(probe 5000 $names | grep -c ' dns 45 10\.1\.')" 500
faster "500 names take no second" 1000
# shellcheck disable=SC2086
is "500 names in 32 descriptors" "$(ulimit -n 32; probe 5000 $names | grep -c ' dns 45 10\.1\.')" 500

resolv_conf 'search example' 'nameserver 127.0.0.1'
is "search domains" "$(probe 3000 both)" "both dns 60 10.0.0.1 2001:db8::1"
resolv_conf 'search wild.example' 'nameserver 127.0.0.1'
is "a family that the name lacks is not looked for in search domains" \
	"$(probe 3000 v4.example)" "v4.example dns 30 10.0.0.4"

resolv_conf 'nameserver 127.0.0.53' 'nameserver 127.0.0.1'
is "the second server answers for a dead first one" "$(probe 3000 both.example)" \
	"both.example dns 60 10.0.0.1 2001:db8::1"
resolv_conf 'nameserver 127.0.0.2'
is "nobody listens" "$(probe 3000 both.example)" \
	"both.example failed: Could not contact DNS servers"
faster "which is noticed at once" 500

resolv_conf 'nameserver 127.0.0.53'
# shellcheck disable=SC2086
is "a silent server: all fail, but the static ones" \
	"$(probe 1000 static.example $names | cut -d ' ' -f 2 | sort | uniq -c | xargs)" \
	"500 failed: 1 static"
faster "by the deadline" 1300
is "and say why" "$(probe 300 both.example)" \
	"both.example failed: Timeout while contacting DNS servers"
is "no time at all" "$(probe 0 both.example)" "both.example failed: no answer within 0 ms"

# Behind some home routers, questions for AAAA vanish: type 28 after the 14 bytes of the name.
resolv_conf 'nameserver 127.0.0.1'
nft add rule inet t input udp dport 53 @th,272,16 28 drop
is "one family's answer counts when the other never comes" "$(probe 2000 both.example)" \
	"both.example dns/failed 60 10.0.0.1: IPv6: Timeout while contacting DNS servers"
faster "in time" 1900
resolv_conf 'search wild.example' 'nameserver 127.0.0.1'
is "nor does its silence lead on to search domains" "$(probe 2000 both.example)" \
	"both.example dns/failed 60 10.0.0.1: IPv6: Timeout while contacting DNS servers"

# The answer for one family does not depend on the other.
server "$dir/zone" <<-'END'
	six.example 198.51.100.1 2001:db8::1 ttl=7 A=fail
	four.example 198.51.100.1 2001:db8::1 ttl=7 AAAA=fail
	wrong.example 198.51.100.1 ttl=7 AAAA=missing
	empty.example
	blocked6.example 198.51.100.2 :: ttl=7
	both.first.example
	both.second.example 198.51.100.3 2001:db8::3 ttl=7
	wrong.example.first.example 2001:db8::bad
END
resolv_conf 'search first.example second.example' 'nameserver 127.0.0.2'
is "the other family of one that fails is an answer" \
	"$(probe 2000 four.example six.example | sed -E 's/(IPv.): .*/\1/')" \
	"four.example dns/failed 7 198.51.100.1: IPv6
six.example failed/dns 7 2001:db8::1: IPv4"
is "a server that denies a name for one family does not lead on to search domains" \
	"$(probe 2000 wrong.example)" \
	"wrong.example dns/failed 7 198.51.100.1: IPv6: no such name"
is "a name that exists without addresses is an answer" "$(probe 2000 empty.example)" \
	"empty.example dns"
is "unspecified addresses of one family" "$(probe 2000 blocked6.example)" \
	"blocked6.example dns/failed 7 198.51.100.2: IPv6: no address"
is "a candidate without addresses leads on to the next search domain" "$(probe 2000 both)" \
	"both dns 7 198.51.100.3 2001:db8::3"

finish
