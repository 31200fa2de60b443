#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# init: what it asks, what it writes, and that it writes both files or neither, beside an Engine API that does as it is
# told. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh"
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"

dir=$t/conf
echo "nameserver 192.0.2.53" >$t/resolv.conf

# init [OPTION…]: anew, without a terminal; $status, $out, $err
init()
{
	rm -rf $dir
	again "$@"
}

again()
{
	timeout 60 "$DSFW_NFT" init --directory $dir "$@" >$t/out 2>$t/err </dev/null
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}

# answers ANSWER… -- [OPTION…]: on a terminal
answers()
{
	local given=()
	while [[ $1 != -- ]]; do
		given+=("$1")
		shift
	done
	timeout 120 python3 "$docker_tests/init_answers.py" "${given[@]}" -- "$DSFW_NFT" init --directory $dir "${@:2}" >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}

# wrote: what lies in the directory
wrote()
{
	[[ ! -d $dir ]] || find $dir -mindepth 1 -printf '%f\n' | sort | xargs
}

# said_by_check: what check says of them, but for its notes
said_by_check()
{
	"$DSFW_NFT" check --network-config $dir/network-config.json --firewall-config $dir/firewall-config.json 2>&1 |
		grep -vE '^ |: note: '
}

# code FILE: without comments and blanks between words, on one line
code()
{
	sed -E 's,(^|[[:space:]])//.*,,' "$dir/$1-config.json" | tr -s ' \n' ' '
}

both="firewall-config.json network-config.json"

# ---- without Docker -----------------------------------------------------------------------------

init --yes
like "without Docker it says what to give" "$status $err" "^1 error: init: Docker does not say which networks it has: .*no such socket.*--network ds-agents --subnet"
is "and writes nothing" "$(wrote)" ""
init --yes --network ds-agents
like "the same for a name alone" "$status $err" "^1 error: .*--subnet"
init --network ds-agents --subnet 172.20.1.0/24 --preset npm,pypi
is "with a subnet it needs none" "$status $(wrote)" "0 $both"
is "check has nothing to say" "$(said_by_check)" "ok: 1 network, 1 of them managed, 3 rules, 1 ipset"
is "the network" "$(code network)" ' { "networks": [ { "name": "ds-agents", "subnet": "172.20.1.0/24" } ] } '
is "the rules" "$(code firewall)" ' { "ipsets": { "allowlist": [ "preset:npm", "preset:pypi" ] }, "networks": { "ds-agents": { "dns": {}, "egress": [ { "proto": "tcp", "ports": [443], "to": "ipset", "ipset": "allowlist", "comment": "allowlist" }, { "action": "drop", "comment": "deny the rest" } ], "host": [ { "action": "drop", "comment": "the host is closed" } ] } } } '
is "they are for everybody to read" "$(stat -c %a $dir $dir/*.json | xargs)" "755 644 644"
like "it says what comes next" "$out" "dsfw-nft check --network-config $dir/network-config.json.*adduser [^
]* dsfw-gate
[^
]*dsfw-nft gate --user dsfw-gate --gate-socket /run/dockside/gate.sock &
[^
]*dsfw-nft daemon .*$dir/firewall-config.json --gate-socket /run/dockside/gate.sock
.*docker run --rm -it --network ds-agents IMAGE"

# ---- both or neither, over none -----------------------------------------------------------------

before=$(md5sum $dir/*)
again --network ds-b --subnet 172.20.2.0/24 --preset npm
like "files that are there stay" "$status $err" "^1 error: init: $dir/network-config.json is there already"
is "as they are" "$(md5sum $dir/*)" "$before"
for one in network firewall; do
	rm -f $dir/*.json
	ln -s /nonexistent $dir/$one-config.json
	again --network ds-b --subnet 172.20.2.0/24 --preset npm
	like "one alone, too, be it a dangling link: $one" "$status $err" "^1 error: init: $dir/$one-config.json is there already"
	is "and the other does not come: $one" "$(wrote)" "$one-config.json"
done
rm -f $dir/*
answers '!echo mine >'$dir/firewall-config.json npm -- --network ds-b --subnet 172.20.2.0/24
like "a file that comes meanwhile stays" "$status $out" "^1 .*firewall-config.json has come meanwhile, and is left alone; nothing was written"
is "and takes the other one along" "$(wrote) $(<$dir/firewall-config.json)" "firewall-config.json mine"
rm -f $dir/*
mount -t tmpfs -o size=4k,nr_inodes=2 none $dir
again --network ds-b --subnet 172.20.2.0/24 --preset npm
is "nor does a full disk leave half" "$status $(wrote)" "1 "
like "which is said" "$err" "^error: init: .*No space left on device; nothing was written"
umount $dir
for one in network firewall; do
	rm -f $dir/*
	bash -c 'echo mine >"$0/$1-config.json.$$.new"; exec "${@:2}" 2>&1' $dir $one \
		"$DSFW_NFT" init --directory $dir --network ds-b --subnet 172.20.2.0/24 --preset npm >$t/out
	like "a file by the name of what it writes first: $one" "$? $(<$t/out)" \
		"^1 error: init: write $dir/$one-config.json\.[0-9]+\.new: File exists; nothing was written"
	is "it stays, and nothing else does: $one" "$(wrote | sed 's/[0-9]\+/PID/') $(cat $dir/*)" "$one-config.json.PID.new mine"
done
rm -f $dir/*
"$DSFW_NFT" init --directory $t/not/there --network a --subnet 172.20.2.0/24 --preset npm 2>$t/err
like "a directory that is mistyped" "$? $(<$t/err)" "^1 error: init: make directory $t/not/there: No such file"

# ---- what is wrong ------------------------------------------------------------------------------

wrong() # DESCRIPTION PATTERN [OPTION…]
{
	init "${@:3}"
	like "$1" "$status $err $(wrote)" "$2"
}

wrong "no terminal" '^2 error: init: it asks which services the containers may reach, and standard input is no terminal: give --preset NAME, or --yes .*' \
	--network a --subnet 172.20.2.0/24
wrong "a misspelt preset" '^2 error: init: there is no preset "nmp"; did you mean "npm"\? dsfw-nft init --list-presets' --preset pypi,nmp --yes
wrong "a subnet without a network" '^2 error: init: --subnet is "172.20.2.0/24": wanted behind --network NAME' --subnet 172.20.2.0/24
wrong "two subnets of one" '^2 .*--subnet is "172.20.3.0/24"' --network a --subnet 172.20.2.0/24 --subnet 172.20.3.0/24
for subnet in 172.20.2.0 2001:db8::/64 172.20.2.0/33 172.20.2.0/31 0.0.0.0/0 x ''; do
	wrong "subnet '$subnet'" '^2 .*--subnet is ' --network a --subnet "$subnet"
done
wrong "a name server on the loopback" '^2 .*--dns is "127.0.0.1"' --dns 127.0.0.1
for name in "a b" 'a"}' a/b -a ds-agents-and-more host "" $'a\n'; do
	wrong "name '${name//$'\n'/ }'" '^2 error: ' --yes --network "$name" --subnet 172.20.2.0/24
done
wrong "a network twice" '^2 .*--network A is given twice' --yes --network a --subnet 172.20.2.0/24 --network A --subnet 172.20.3.0/24
wrong "a subnet twice" '^1 .*network b: another network, or this host, has addresses of 172.20.2.128/25' --yes \
	--network a --subnet 172.20.2.0/24 --network b --subnet 172.20.2.128/25

# ---- the name servers that containers ask -------------------------------------------------------

given=(--network a --subnet 172.20.2.0/24 --preset "npm,github")
dns() { code firewall | grep -oE '"(dns|upstream)": [{[][^]}]*[]}]|"ports": \[53\](, "to": "ip", "ip": "[^"]*")?' | xargs -d '\n'; }
: >$t/resolv.conf
init "${given[@]}"
like "none" "$status $err" "^1 error: init: neither /etc/docker/daemon.json nor /etc/resolv.conf names a name server: give .*--dns ADDRESS"
is "and nothing is written" "$(wrote)" ""
init "${given[@]}" --dns 192.0.2.7 --dns 2001:db8::7
is "but some can be given: the gate asks them" "$status $(dns)" '0 "dns": { "upstream": ["192.0.2.7", "2001:db8::7"] "dns": {}'
is "check agrees" "$(said_by_check)" "ok: 1 network, 1 of them managed, 3 rules, 1 ipset"
printf 'nameserver %s\n' 192.0.2.8 192.0.2.9 >$t/resolv.conf
init "${given[@]}"
is "else it asks those of the host, and no rule is needed" "$status $err $(dns)" '0  "dns": {}'
is "with a gate wildcards of presets are allowed" "$(code firewall | grep -o '"allowlist": \[[^]]*\]')" \
	'"allowlist": [ "preset:npm", "preset:github", "*.actions.githubusercontent.com", "*.githubusercontent.com", "*.pkg.github.com" ]'
is "which check takes" "$(said_by_check)" "ok: 1 network, 1 of them managed, 3 rules, 1 ipset"
echo "nameserver 127.0.0.1" >$t/resolv.conf
init "${given[@]}"
like "on the loopback: it warns" "$status $err" "^0 warning: preset github: left out, as wildcards need a DNS gate in each network: \*\.actions\..*
warning: Docker asks the name server 127.0.0.1 from the host itself, where no rule judges it: any name can leave"
is "and there is no gate, which would hear nothing" "$(dns) $(grep -c '// Docker asks 127.0.0.1 from the host itself' $dir/firewall-config.json)" " 1"
like "nor a word of one" "$out" "dsfw-nft apply --network-config"
is "check has nothing more to say" "$(said_by_check | grep -v 'containers cannot look up')" "ok: 1 network, 1 of them managed, 3 rules, 1 ipset"
init "${given[@]}" --dns 192.0.2.7
like "whatever the gate would be given: Docker goes on asking there" "$status $err $(dns)" \
	'^0 .*warning: Docker asks the name server 127\.0\.0\.1 from the host itself.* "ports": \[53\], "to": "ip", "ip": "192\.0\.2\.7"'
printf 'nameserver %s\n' 127.0.0.1 192.0.2.8 >$t/resolv.conf
init "${given[@]}"
is "another one beside it" "$status $(dns)" '0 "ports": [53], "to": "ip", "ip": "192.0.2.8" "ports": [53], "to": "ip", "ip": "192.0.2.8"'
ip link add up1 type bridge && ip addr add 192.0.2.11/24 dev up1 && ip link set up1 up
printf 'nameserver %s\n' 127.0.0.1 192.0.2.11 >$t/resolv.conf
init "${given[@]}"
is "which is on the host itself: it is a host rule" "$status $(code firewall | grep -o '"host": .*')" \
	'0 "host": [ { "proto": "udp", "ports": [53], "comment": "DNS" }, { "proto": "tcp", "ports": [53], "comment": "DNS" }, { "action": "drop", "comment": "the host is closed" } ] } } } '
is "check agrees" "$(said_by_check | tail -n 1)" "ok: 1 network, 1 of them managed, 5 rules, 1 ipset"
echo "nameserver 192.0.2.53" >$t/resolv.conf

# ---- the presets --------------------------------------------------------------------------------

init --network a --subnet 172.20.2.0/24 --preset github,debian --preset ' npm , github'
is "of several options, each once" "$status $(code firewall | grep -o 'preset:[a-z]*' | xargs)" "0 preset:github preset:debian preset:npm"
is "one that needs port 80 has it" "$(code firewall | grep -o '\[[0-9, ]*443\]')" "[80, 443]"
again --list-presets
is "the list" "$status $(grep -c '^[a-z-]*: ' $t/out) $(grep -c '^    date      20' $t/out)" "0 12 12"
list=$out
again --preset help
is "help is the list" "$status $out" "0 $list"

# ---- with Docker --------------------------------------------------------------------------------

fake_start
init --yes
is "Docker has none of its own: a new one" "$status $(code network)" '0  { "networks": [ { "name": "ds-agents", "subnet": "172.31.0.0/24" } ] } '
is "no preset is no mistake" "$(said_by_check)" "ok: 1 network, 1 of them managed, 3 rules, 1 ipset"
fake_tell create shop_default 172.18.0.0/16 ""
fake_tell create swarm 10.0.1.0/24 "" overlay
fake_tell create taken 172.31.0.0/23 ds-taken
init --yes --preset npm
is "all bridge networks of Docker but its default one" "$status $(code network)" \
	'0  { "networks": [ { "name": "shop_default", "external": true }, { "name": "taken", "external": true } ] } '
is "check" "$(said_by_check)" "ok: 2 networks, 2 of them managed, 6 rules, 1 ipset"
init --preset npm --network bridge --network new --network shop_default
is "those that are given, and a free subnet" "$status $(code network)" \
	'0  { "networks": [ { "name": "bridge", "external": true }, { "name": "new", "subnet": "172.31.2.0/24" }, { "name": "shop_default", "external": true } ] } '
is "check" "$(said_by_check)" "ok: 3 networks, 3 of them managed, 9 rules, 1 ipset"
echo "nameserver 127.0.0.53" >$t/resolv.conf
init --preset npm --network bridge
is "containers of the default network never ask the loopback: they have a gate" "$status $err $(dns)" '0  "dns": {}'
init --preset github --network bridge --network shop_default
like "wildcards need one in each network" "$status $(dns)$err" '^0 "dns": \{\}warning: preset github: left out, .*\*\.githubusercontent\.com'
is "which check knows, too" "$(said_by_check | tail -n 1)" "ok: 2 networks, 2 of them managed, 6 rules, 1 ipset"
echo "nameserver 192.0.2.53" >$t/resolv.conf
wrong "an overlay network" "^1 error: init: Docker's network swarm is of driver \"overlay\"; only networks of driver" --yes --network swarm
wrong "a subnet for one of Docker's" '^2 error: init: Docker has network shop_default already, with 172.18.0.0/16: leave its --subnet out' \
	--yes --network shop_default --subnet 172.20.2.0/24
wrong "a subnet of one of Docker's" '^1 .*network new: another network, or this host' --yes --network new --subnet 172.18.4.0/24
wrong "a subnet of the host's" '^1 .*network new: another network, or this host' --yes --network new --subnet 192.0.2.0/25
wrong "no terminal" '^2 error: init: it asks which networks to confine, and standard input is no terminal: give --network NAME, or --yes'
fake_tell create Taken 172.19.0.0/16 ""
fake_tell create docker_gwbridge 172.20.0.0/16 docker_gwbridge
fake_tell create 'evil", "external": true }, { "name": "injected' 172.21.0.0/16 ""
init --yes --preset npm
is "nor one of a swarm, nor whose name cannot be written" "$status $(code network)" \
	'0  { "networks": [ { "name": "shop_default", "external": true }, { "name": "taken", "external": true } ] } '
like "which it says" "$err" 'left out: network Taken, as the name of another differs in letter case only
warning: init: left out: network "evil.*, as no file can have that name'
wrong "nor if it is given" "^1 error: init: no file can have the name of Docker's network" --preset npm --network 'evil", "external": true }, { "name": "injected'
for name in Taken docker_gwbridge 'evil", "external": true }, { "name": "injected'; do
	fake_tell remove "$name"
done
for behaviour in garbage types 500 close; do
	fake_behaves "GET /networks $behaviour"
	wrong "Docker's list is $behaviour" '^1 error: init: Docker does not say which networks it has: [^;]*list (the|Docker.s) networks' --yes
done
fake_behaves

# ---- questions ----------------------------------------------------------------------------------

rm -rf $dir
answers n y n nmp "npm, pypi" --
is "a terminal" "$status $(wrote)" "0 $both"
is "the answers" "$(code network) $(code firewall | grep -o 'preset:[a-z]*' | xargs)" ' { "networks": [ { "name": "shop_default", "external": true } ] }  preset:npm preset:pypi'
like "the questions" "$out" "Confine the containers of network bridge \(no subnet, of containers that name no network\)\? \[y/N\] n
Confine the containers of network shop_default \(172.18.0.0/16\)\? \[Y/n\] y
.*  npm +The npm registry
.*Which of them may the containers reach .* nmp
error: init: there is no preset \"nmp\"; did you mean \"npm\"\?.*
Which of them may the containers reach .* npm, pypi
wrote "
rm -rf $dir
answers "" "" "" "" --
is "Enter alone takes what is proposed" "$status $(code network)" '0  { "networks": [ { "name": "shop_default", "external": true }, { "name": "taken", "external": true } ] } '
rm -rf $dir
answers n maybe no n "" ds-New none --
is "a new one" "$status $(code network)" '0  { "networks": [ { "name": "ds-New", "subnet": "172.31.2.0/24" } ] } '
like "what is no answer" "$out" "maybe
Answer y or n\."
rm -rf $dir
answers n n n n --
like "none" "$status $out" "^1 .*error: init: no network was chosen; nothing was written"
answers n ^D --
like "the end of input" "$status $out" "^1 .*error: init: no answer; nothing was written"
answers y n n ^D --
like "at the last question, too" "$status $out" "^1 .*error: init: no answer; nothing was written"
is "and nothing was" "$(wrote)" ""

# ---- and on -------------------------------------------------------------------------------------

{
	cp /etc/passwd $t/passwd && echo dsfw-gate:x:4711:4711::/nonexistent:/usr/sbin/nologin >>$t/passwd &&
		mount --bind $t/passwd /etc/passwd
} || bail "no user dsfw-gate"
init --yes --network shop_default --preset npm
is "whoever has the gate's user need not make it" "$(grep -c adduser $t/out)" 0
cp $dir/network-config.json $t/network.json
cp $dir/firewall-config.json $t/firewall.json
dsfw apply
like "apply takes what it wrote" "$status $out$err" "^0 .*applied: 1 managed network"
like "its rules are on Docker's bridge" "$(nft list map inet dockside dispatch)" '"br-[0-9a-f]{12}" : goto shop_default-OUT'
finish
