#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Containers of a real Docker behind the DNS gate: on a network of ours and on one of others, where Docker's resolver asks in
# the container's place and from its namespace, with --dns, and on Docker's default network, where they ask themselves.
# An allowed name is reached by the first packet; another name fails at once for glibc, musl and busybox, and no byte of it
# leaves. Then what Docker and other tables can do to that: status says so, and what to do. TAP.
# shellcheck disable=SC2317 # until_true calls functions
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

uid=4711
upstream=9.9.9.10 # the gate asks it
direct=9.9.9.11   # the host's own resolver, which containers would ask without a gate
kinds=(glibc)
background=()
trap 'kill "${background[@]}" 2>/dev/null' EXIT

in_net() # NAMESPACE COMMAND…
{
	nsenter --net=/run/netns/"$1" "${@:2}"
}

serve() # ADDRESS
{
	in_net outside python3 "$here/gate.py" serve "$1" "$t/asked-$1" 2>"$t/server-$1.log" &
	background+=("$!")
	until_true 5 prints "${1//./\\.}:53" in_net outside ss -Hlun || bail "no name server"
}

# ---- the world, and images --------------------------------------------------------------------------

build()
{
	local flags=(-std=gnu17 -O2 -static "$lab/gate_client.c")
	mkdir -p $t/tree/bin && "${CC:-cc}" "${flags[@]}" -o $t/tree/bin/glibc 2>/dev/null || return
	if type -p musl-gcc >/dev/null; then
		musl-gcc "${flags[@]}" -o $t/tree/bin/musl || return
		kinds+=(musl)
	else
		echo "# no musl-gcc (Debian package musl-tools): musl is not tried"
	fi
}

outside $upstream/32 $direct/32 || bail "cannot build the network"
ip -n outside route add local 11.0.0.0/8 dev lo
ip -n outside route add local 2a00::/16 dev lo
serve $upstream
serve $direct
in_net outside python3 "$lab/serve.py" 443 &
background+=("$!")
in_net outside python3 "$lab/gate_capture.py" record up0 $t/capture >$t/capture-ready &
background+=("$!")
until_true 5 grep -q ready $t/capture-ready || bail "nobody records"
chmod 1777 $t
build || bail "cannot build gate_client.c (Debian packages gcc, libc6-dev)"
echo "nameserver $direct" >$t/resolv.conf
dockerd_start
busybox_image || bail "no image"
cat >$t/Dockerfile <<-'END'
	FROM bb:1
	COPY bin /bin
END
mv $t/Dockerfile $t/tree/
docker build -q -t client:1 $t/tree >/dev/null 2>&1 || bail "no image"
docker network create shop_default >/dev/null

run() # NAME NETWORK [OPTION…]
{
	docker run -d --name "$1" --network "$2" "${@:3}" client:1 sleep 100000 >/dev/null && container_bind "$1"
}

# captured NAME…: those that a packet to the outside has
captured()
{
	python3 "$lab/gate_capture.py" find $t/capture "$@" | sed '/: 0 of [1-9]/d; s/: .*//' | xargs
}

# fastest COUNT COMMAND…: of so many, as a busy machine makes some slow: "unknown" if it took less than 100 ms
fastest()
{
	local i last=
	for ((i = 0; i < $1; i++)); do
		last=$("${@:2}" 2>&1)
		[[ ! $last =~ ^[^\ ]*:\ unknown\ in\ [0-9]{1,2}\ ms$ ]] || { echo unknown; return; }
	done
	echo "$last"
}

# busybox's nslookup asks by itself, not by the C library: as gate_client says it
nslookup_of() # CONTAINER NAME
{
	local begin end
	docker exec "$1" sh -c 'read -r begin _ </proc/uptime; nslookup "$1" 2>&1; read -r end _ </proc/uptime
		echo "$begin $end"' sh "$2" >"$t/nslookup"
	read -r begin end < <(tail -n 1 "$t/nslookup")
	if grep -q NXDOMAIN "$t/nslookup"; then
		echo "$2: unknown in $((10#${end/./}0 - 10#${begin/./}0)) ms"
	else
		cat "$t/nslookup"
	fi
}

# ---- without the gate names leave, which is what all this is about ----------------------------------

run bare shop_default || bail "no container"
docker exec bare glibc 443 bare.secret.test >/dev/null
until_true 5 prints bare.secret.test captured bare.secret.test
is "without a gate any name leaves" "$(captured bare.secret.test never-asked.secret.test)" bare.secret.test
docker rm -f bare >/dev/null
: >$t/capture
: >"$t/asked-$direct"

# ---- and with it ------------------------------------------------------------------------------------

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "shop_default", "external": true},
	{"name": "bridge", "external": true}
]}
END
gated_policy()
{
	local network rules='"dns": {}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}],
		"host": [{"action": "drop"}]'
	cat <<-END
		{"dns": {"upstream": ["$upstream"]},
		 "ipsets": {"web": ["www.good.test", "pool.good.test", "alias.good.test", "dangling.good.test", "*.wild.test"]},
		 "networks": {$(for network in ds-a shop_default bridge; do echo "\"$network\": {$rules}, "; done)}}
	END
}
gated_policy | firewall_config
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")
start_listening
start_daemon
start_gate()
{
	"$DSFW_NFT" gate --user $uid --gate-socket $t/gate.sock 2>>$t/gate.log &
	gate=$!
	background+=("$gate")
}
start_gate
until_true 10 policy_is taken || bail "the gate does not take the policy: $(tail -n 5 $t/gate.log)"
until_true 10 eval 'docker network inspect ds-a >/dev/null 2>&1' || bail "no network ds-a"
until_true 10 prints '^True$' of ready
run user ds-a --ip 172.30.1.11 || bail "no container"
run given ds-a --dns 8.8.8.8 --dns-search search.secret.test || bail "no container"
run foreign shop_default || bail "no container"
run default bridge || bail "no container"
run chosen bridge --dns 8.8.4.4 --dns-option use-vc || bail "no container"
is "who asks whom" "$(for c in user given foreign default chosen; do
	docker exec $c sed -n 's/^nameserver //p' /etc/resolv.conf; done | xargs)" \
	"127.0.0.11 127.0.0.11 127.0.0.11 $direct 8.8.4.4"

# The same tests for each kind of container
behind_the_gate() # CONTAINER SERVER
{
	local kind name six=
	[[ $(docker exec "$1" cat /proc/net/if_inet6) != *fd77* ]] || six=", 2a00:1::1 open"
	for kind in "${kinds[@]}"; do
		is "$1, $kind: an allowed name is reached by the first packet" \
			"$(docker exec "$1" "$kind" 443 www.good.test | sed -E 's/^([^:]*): (2a00:1::1 open), (11.*)/\1: \3, \2/')" \
			"www.good.test: 11.0.0.1 open$six"
		# Addresses of a name that has 200, five an answer
		is "$1, $kind: a pool" "$(docker exec "$1" "$kind" 443 pool.good.test pool.good.test pool.good.test pool.good.test |
			grep -o 'open\|refused\|silent\|unknown' | sort | uniq -c | xargs)" "$([[ $six ]] && echo 40 || echo 20) open"
		name=$1.$kind.secret.test
		is "$1, $kind: another name fails at once" "$(fastest 5 docker exec "$1" "$kind" 443 "$name")" unknown
	done
	is "$1, busybox: so it is with nslookup" "$(fastest 5 nslookup_of "$1" "$1.nslookup.secret.test")" unknown
	is "$1, busybox: its programs reach an allowed name" "$(docker exec "$1" sh -c 'nc -w 15 www.good.test 443 </dev/null')" here
	like "$1, busybox: and no other one" "$(docker exec "$1" nc -w 15 "$1.nc.secret.test" 443 2>&1 </dev/null)" "bad address"
	is "$1: whatever is asked of a name that is not allowed" "$(in_net "$1" python3 "$here/gate.py" ask "$2" \
		{a,b,c}.secret.test,A{,\,case,\,edns,\,do,\,tcp} {d,e}.secret.test,{TXT,MX,SRV,NS,HTTPS,CAA,DS,99} \
		deep.er.and.deeper.secret.test,AAAA www.good.test.secret.test,A xwww.good.test,A wild.test,A \
		good.test,NS 77.100.51.198.in-addr.arpa,PTR | sed 's,/18$,,' | sort | uniq -c | xargs)" "37 3"
	like "$1: ANY is refused" "$(in_net "$1" python3 "$here/gate.py" ask "$2" {f.secret.test,www.good.test},ANY,tcp | xargs)" \
		"^(3|5|2)(/18)? [52]"
	is "$1: an alias of an allowed name to another" "$(in_net "$1" python3 "$here/gate.py" ask "$2" alias.good.test,A dangling.good.test,A)" \
		"0 11.0.0.1
0"
	is "$1: records that are not for addresses" "$(in_net "$1" python3 "$here/gate.py" ask "$2" www.good.test,{TXT,HTTPS} | xargs)" "0 0"
}
behind_the_gate user 127.0.0.11
behind_the_gate given 127.0.0.11
behind_the_gate foreign 127.0.0.11
behind_the_gate default $direct
behind_the_gate chosen 8.8.4.4

like "the search list is asked first" "$(docker exec given sed -n 's/^search //p' /etc/resolv.conf)" search.secret.test
is "and a name without it answered" "$(docker exec given glibc 443 alias.good.test)" "alias.good.test: 11.0.0.1 open, 2a00:1::1 open"
is "names below a wildcard" "$(docker exec user glibc 443 any.wild.test of.any.wild.test | grep -c 'open$')" 2

# ---- not a byte of them ------------------------------------------------------------------------------

is "the gate asks what it has to" "$(captured www.good.test any.wild.test)" "www.good.test any.wild.test"
is "and nothing else left, be it in whatever form" "$(captured secret.test target.forbidden.test xwww.good.test wild.test.search \
	77.100.51.198 never.secret.test)" ""
is "the upstream heard of no other name" "$(sed -E 's/^(udp|tcp) //; s/ .*//' "$t/asked-$upstream" | sort -u |
	grep -vE '^((www|pool|alias|dangling)\.good|.*\.wild)\.test$')" ""
is "and the host's resolver of none" "$(sort -u "$t/asked-$direct")" ""
result "denied has them" "$(until_true 5 prints "ds-a .*user .*user\.glibc\.secret\.test" "$DSFW_NFT" denied --socket $socket || tail -n 3 $t/err)"

# ---- Docker's own names -------------------------------------------------------------------------------

run peer ds-a --ip 172.30.1.12 --network-alias friend || bail "no container"
is "names of containers are Docker's to answer" "$(docker exec user glibc 443 peer friend | sed 's/ fd77[^,]*,//; s/ 172.30.1.12 .*/ 172.30.1.12/')" \
	"peer: 172.30.1.12
friend: 172.30.1.12"
is "and so are their addresses" "$(docker exec user nslookup 172.30.1.12 2>&1 | sed -n 's/.*name = //p')" peer.ds-a
docker rm -f peer >/dev/null

# ---- somebody else's input policy ---------------------------------------------------------------------

has_no_alarm()
{
	! alarmed "$1"
}
is "there is no alarm" "$(of alarms)" "[]"
nft -f - <<-'END'
	table ip ufw {
		chain input {
			type filter hook input priority filter; policy drop;
			ct state established,related accept
			iifname "lo" accept
			udp dport { 53, 67 } accept
			tcp dport 53 accept
		}
	}
END
# The gate's report of the questions before may come late, and then those of the moment count as arrived.
# shellcheck disable=SC2317 # until_true calls it
cut_off()
{
	alarmed 'network ds-a does not reach the gate' ||
		{ docker exec user timeout 1 nslookup "n$RANDOM.ufw.secret.test" >/dev/null 2>&1 && return 1; }
}
result "an input policy that drops the questions is an alarm" "$(until_true 30 cut_off || of alarms)"
rule=$(of alarms | sed -E 's/.*network ds-a does not reach[^;]*;[^;]*; as a rule of nft: ([^;]*);.*/\1/')
is "with the rule to add" "$rule" 'iifname "ds-a" meta l4proto { tcp, udp } th dport 5300 accept'
nft add rule ip ufw input "$rule"
is "which mends it" "$(docker exec user glibc 443 www.good.test)" "www.good.test: 11.0.0.1 open, 2a00:1::1 open"
result "and the alarm goes" "$(until_true 10 has_no_alarm 'ds-a does not reach' || of alarms)"
nft delete table ip ufw

# ---- a resolver on the host's loopback -----------------------------------------------------------------

python3 "$here/gate.py" serve 127.0.0.1 "$t/asked-host" 2>$t/server-host.log &
background+=("$!")
until_true 5 prints "127\.0\.0\.1:53" ss -Hlun || bail "no name server"
echo "nameserver 127.0.0.1" >$t/resolv.conf
run late ds-a || bail "no container"
is "Docker asks a resolver on the loopback from the host" "$(docker exec late nslookup loop.secret.test 2>&1 |
	grep -c '11\.0\.0\.1$') $(grep -c 'loop.secret.test A$' $t/asked-host)" "1 1"
result "which the gate cannot see, and status says, and what to set" "$(until_true 70 alarmed \
	'ds-a.* hears nothing .*127\.0\.0\.1 .*"dns.*" in /etc/docker/daemon\.json' || of alarms)"
echo "nameserver $direct" >$t/resolv.conf
docker rm -f late >/dev/null
run late ds-a || bail "no container"
result "with another resolver the alarm goes" "$(until_true 70 has_no_alarm 'hears nothing' || of alarms)"
is "and the gate answers" "$(docker exec late glibc 443 www.good.test)" "www.good.test: 11.0.0.1 open, 2a00:1::1 open"
is "there is no alarm any more" "$(of alarms)" "[]"

# ---- the end ------------------------------------------------------------------------------------------

docker rm -f user given foreign default chosen late >/dev/null
end_daemon TERM
is "a good end" "$status" 0
dockerd_stop
finish
