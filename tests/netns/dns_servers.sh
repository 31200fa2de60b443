#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The resolver against several name servers that are late, dead, refuse, truncate, are forged, or know aliases in a
# circle; in a network and mount namespace with an /etc of its own. TAP.
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

pids=()
trap 'kill "${pids[@]}"; wait "${pids[@]}" 2>/dev/null' EXIT

# server ADDRESS: zone.py there, with the zone of that name
server()
{
	: >"$dir/answers-$1"
	python3 "$here/zone.py" serve "$dir/zone-$1" "$dir/answers-$1" "$1" 2>>"$dir/zone.log" &
	pids+=($!)
	for _ in $(seq 600); do
		[[ -n $(ss -Hlun "src [${1%\%*}]:53") ]] && return
		sleep 0.1
	done
	sed 's/^/# /' "$dir/zone.log"
	echo "Bail out! no name server at $1"
	exit 1
}

# zone ADDRESS LINE…: what it answers from now on
zone()
{
	printf '%s\n' "${@:2}" >"$dir/zone.new" && mv "$dir/zone.new" "$dir/zone-$1"
}

# resolv_conf LINE…
resolv_conf()
{
	printf '%s\n' "$@" >/etc/resolv.conf
}

probe()
{
	local begin
	begin=$(calm)
	"$probe" "$@" 2>"$dir/stderr"
	calm_since "$begin" >"$dir/took"
}

# between DESCRIPTION FROM TO: so many milliseconds the last probe took, calm ones at most
between()
{
	local took
	took=$(sed -n 's/ ms$//p' "$dir/stderr")
	result "$1" "$([[ $took -ge $2 && $(<"$dir/took") -le $3 ]] || echo "$took ms, of which calm: $(<"$dir/took")")"
}

cp -a /etc "$dir/etc" && mount --bind "$dir/etc" /etc || exit 1
rm -f /etc/resolv.conf /etc/hosts
ip link set lo up
ip addr add 2001:db8::53/128 dev lo nodad
ip link add v0 type veth peer name v1
ip link set v0 addrgenmode none && ip link set v1 addrgenmode none
ip link set v0 up && ip link set v1 up && ip addr add fe80::53/64 dev v0 nodad
# The sender never hears of packets that the input hook drops.
nft 'add table inet t; add chain inet t input { type filter hook input priority 0; }
	add rule inet t input ip daddr 127.0.0.53 drop' || exit 1
touch "$dir"/zone-127.0.0.{2,3,4}
server 127.0.0.2
server 127.0.0.3

# ---- late answers --------------------------------------------------------------------------------

lines=() names=()
for i in $(seq 3 3 30); do
	lines+=("late$i.example 198.51.100.$i ttl=9 delay=$((i / 10)).$((i % 10))")
	names+=("late$i.example")
done
zone 127.0.0.2 "${lines[@]}"
resolv_conf 'nameserver 127.0.0.2'
is "answers that are 0.3 to 3 s late are taken" "$(probe 5000 "${names[@]}" | grep -c ' dns 9 198\.51\.100\.')" 10
between "as soon as they come" 2900 3800
resolv_conf 'nameserver 127.0.0.53' 'nameserver 127.0.0.2'
is "also from the second server, after a dead one" \
	"$(probe 5000 late27.example late3.example | grep -c ' dns 9 198\.51\.100\.')" 2
zone 127.0.0.2 "x.example 198.51.100.1 ttl=9 delay=1.5"
zone 127.0.0.3 "x.example 198.51.100.2 ttl=9 delay=1.5"
resolv_conf 'nameserver 127.0.0.2' 'nameserver 127.0.0.3'
is "an earlier server's answer is taken though another one has been asked since" "$(probe 5000 x.example)" \
	"x.example dns 9 198.51.100.1"
between "when it comes" 1400 2300

# ---- several servers -----------------------------------------------------------------------------

zone 127.0.0.2 "@ refuse" "x.example 198.51.100.1"
zone 127.0.0.3 "x.example 198.51.100.2 2001:db8::2 ttl=9"
is "a server that refuses is passed over" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.2 2001:db8::2"
between "at once" 0 500
zone 127.0.0.2 "@ fail" "x.example 198.51.100.1"
is "and one that fails" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.2 2001:db8::2"
between "at once, too" 0 500
zone 127.0.0.3 "@ refuse" "x.example 198.51.100.1"
is "when all do, the last one's reason is told" "$(probe 3000 x.example)" \
	"x.example failed: DNS server refused query"
resolv_conf 'nameserver 127.0.0.9' 'nameserver 127.0.0.8' 'nameserver 127.0.0.3'
zone 127.0.0.3 "x.example 198.51.100.2 ttl=9"
is "where nobody listens is no server" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.2"
between "which is known at once" 0 500
resolv_conf 'nameserver 127.0.0.53' 'nameserver 127.0.0.53' 'nameserver 127.0.0.3'
is "two that are dead" "$(probe 5000 x.example)" "x.example dns 9 198.51.100.2"
mapfile -t lines < <(printf 'm%s.example 198.51.100.9 ttl=9\n' {1..300})
zone 127.0.0.3 "${lines[@]}"
# Word splitting is wanted: names.
# shellcheck disable=SC2046
is "300 names, the first server dead: it is left alone" \
	"$(probe 5000 $(printf 'm%s.example ' {1..300}) | grep -c ' dns 9 198\.51\.100\.9')" 300
zone 127.0.0.3 "x.example 198.51.100.2 ttl=9"

# ---- IPv6 ----------------------------------------------------------------------------------------

for address in 2001:db8::53 fe80::53%v0; do
	zone "$address" "x.example 198.51.100.2 ttl=9"
	server "$address"
done
resolv_conf 'nameserver 2001:db8::53'
is "a server with an IPv6 address" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.2"
resolv_conf 'nameserver fe80::53%v0'
is "and one with a link-local address" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.2"
resolv_conf 'nameserver fe80::53%nosuch'
is "on an interface that is not there" "$(probe 3000 x.example)" \
	"x.example failed: Could not contact DNS servers"

# ---- answers -------------------------------------------------------------------------------------

resolv_conf 'nameserver 127.0.0.2'
zone 127.0.0.2 "long.example truncate ttl=9 $(echo 198.51.100.{1..200})" \
	"forged.example forge 198.51.100.4 2001:db8::4 ttl=9" \
	"a.example cname=b.example ttl=8" "b.example cname=c.example ttl=7" "c.example 198.51.100.3 ttl=9" \
	"circle.example cname=round.example" "round.example cname=circle.example" \
	"nowhere.example cname=nosuch.example"
is "a truncated answer is asked for over TCP" \
	"$(probe 3000 long.example | tr ' ' '\n' | grep -c '^198\.51\.100\.')" 200
is "forged answers are passed over: id, question, class, no reply, cut, port, address" \
	"$(probe 3000 forged.example)" "forged.example dns 9 198.51.100.4 2001:db8::4"
is "aliases are followed" "$(probe 3000 a.example)" "a.example dns 9 198.51.100.3"
is "those in a circle fail" "$(probe 3000 circle.example)" "circle.example failed: Misformatted DNS reply"
is "those that lead nowhere do not exist" "$(probe 3000 nowhere.example)" \
	"nowhere.example failed: no such name"

# ---- servers with habits -------------------------------------------------------------------------

zone 127.0.0.2 "@ noedns" "x1.example 198.51.100.1 ttl=9"
is "a server that says nothing to EDNS is asked without" "$(probe 3000 x1.example)" "x1.example dns 9 198.51.100.1"
between "when its first time is over" 700 1500
# Word splitting is wanted: names.
# shellcheck disable=SC2046
is "which is learnt: 400 names, of which 100 are asked at a time" \
	"$(zone 127.0.0.2 "@ noedns" "$(printf 'm%s.example 198.51.100.9 ttl=9\n' {1..400})"
	probe 8000 $(printf 'm%s.example ' {1..400}) | grep -c ' dns 9 198\.51\.100\.9')" 400
zone 127.0.0.2 "@ formerr" "x.example 198.51.100.1 ttl=9"
is "and one that finds fault with EDNS" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.1"
between "at once" 0 500
zone 127.0.0.2 "@ lower" "x.example 198.51.100.1 ttl=9"
is "one that does not keep the letters' case is asked over TCP" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.1"
nft add rule inet t input ip daddr 127.0.0.2 tcp dport 53 reject with tcp reset
is "or in lower case, where that is refused" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.1"
between "at once, too" 0 500
nft insert rule inet t input ip daddr 127.0.0.2 tcp dport 53 drop
is "or gets no answer" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.1"
long="long.example truncate ttl=9 $(echo 198.51.100.{1..200})"
zone 127.0.0.2 "$long"
zone 127.0.0.3 "$long"
resolv_conf 'nameserver 127.0.0.2' 'nameserver 127.0.0.3'
is "a truncated answer, no TCP at the first server: the second one's" \
	"$(probe 3000 long.example | tr ' ' '\n' | grep -c '^198\.51\.100\.')" 200

# ---- resolv.conf ---------------------------------------------------------------------------------

zone 127.0.0.2 "db.one.example 198.51.100.1 ttl=9" "db.x 198.51.100.2 ttl=9" "db.x.one.example 198.51.100.3 ttl=9"
resolv_conf 'search one.example' 'nameserver 127.0.0.2'
is "ndots:1: a name with a dot is tried as it is" "$(probe 3000 db db.x)" \
	"db dns 9 198.51.100.1
db.x dns 9 198.51.100.2"
resolv_conf 'search one.example' 'nameserver 127.0.0.2' 'options ndots:2'
is "ndots:2: with one it is not" "$(probe 3000 db.x)" "db.x dns 9 198.51.100.3"
resolv_conf 'nameserver 127.0.0.53' 'options attempts:1 timeout:1'
nft 'insert rule inet t input ip daddr 127.0.0.53 udp dport 53 counter'
probe 3000 x.example >"$dir/out"
is "attempts:1: each family is asked once" \
	"$(nft list chain inet t input | sed -n 's/.*packets \([0-9]*\).*/\1/p')" 2

# ---- limits --------------------------------------------------------------------------------------

mapfile -t lines < <(printf 'm%s.example 198.51.100.9 ttl=9\n' {1..400})
zone 127.0.0.2 "@ at_once=150 delay=0.5 log" "${lines[@]}"
: >"$dir/answers-127.0.0.2"
resolv_conf 'nameserver 127.0.0.2'
# shellcheck disable=SC2046
is "400 names at a server that takes half a second, and 150 questions at once" \
	"$(probe 8000 $(printf 'm%s.example ' {1..400}) | grep -c ' dns 9 198\.51\.100\.9')" 400
is "which refuses none" "$(grep -c '!' "$dir/answers-127.0.0.2")" 0

# ---- no address to ask from ----------------------------------------------------------------------

for address in '2001:db8::53 dev lo' '::1 dev lo' 'fe80::53/64 dev v0'; do
	# Word splitting is wanted: two words.
	# shellcheck disable=SC2086
	ip addr del $address
done
ip -6 route add 2001:db8:9::/64 dev v0
zone 127.0.0.3 "x.example 198.51.100.2 ttl=9"
resolv_conf 'nameserver 2001:db8:9::1' 'nameserver 127.0.0.3'
is "a server that we have no address to ask from is passed over" "$(probe 3000 x.example)" "x.example dns 9 198.51.100.2"
between "at once" 0 500

finish
