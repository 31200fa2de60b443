#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The first commands of README by the letter, its blocks with the mark "newcomer", on a fresh Debian 12 with Docker: from
# `apt install` of the package to a question for a name that the DNS gate refused, which `denied` shows. Debian's own systemd and dockerd run
# there, apt gets from its mirror what the package needs, and there is neither a registry of images nor any tool but
# Debian's. Questions are answered on a terminal. The time that it took is a comment. TAP.
#
# scripts/debian-root keeps the Debian, which takes some minutes the first time; what is done here is done on an overlay.
#
# Environment: PACKAGE, the Debian package; or PACKAGE_DIRECTORY, where it is. HOST_SUITE: another Debian than bookworm.
# shellcheck disable=SC2016,SC2317 # what others expand, and what poll calls
set -u -o pipefail

lab=$(dirname "$(realpath "$0")")
top=$lab/../..
# shellcheck source=tests/tap.sh
. "$lab/../tap.sh"
# shellcheck source=tests/systemd/boot.sh
. "$lab/boot.sh"
: "${HOST_SUITE:=bookworm}"
proxy_port=3142

# ---- the host and what is around it ----------------------------------------------------------------

# Has it made, or brings what it lacks.
find_host()
{
	local roots=${DEBIAN_ROOTS:-${XDG_CACHE_HOME:-/var/cache}/dsfw-nft-test}
	"$top/scripts/debian-root" "$HOST_SUITE-host" /source/scripts/install-packages host >&2 || return
	host_root=$(realpath "$roots/$HOST_SUITE-host")
}

# The machine's own proxy for apt, as HOST:PORT
apt_proxy()
{
	apt-config dump --format '%v%n' Acquire::http::Proxy | sed -nE 's,^http://([^/]+)/?$,\1,p'
}

make_tree()
{
	local root=$base/root
	# Docker's files are on no overlay, as on any host.
	mount_tree "$host_root" && mkdir -p "$root"/var/lib/{docker,containerd} &&
		mount -t tmpfs none "$root/var/lib/docker" && mount -t tmpfs none "$root/var/lib/containerd" || return
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	echo "nameserver 198.51.100.53" >"$root/etc/resolv.conf"
	echo "127.0.0.1 localhost" >"$root/etc/hosts"
	echo "Acquire::http::Proxy \"http://127.0.0.1:$proxy_port\";" >"$root/etc/apt/apt.conf.d/95proxy"
	# These timers would hold apt's lock, just when somebody installs a package.
	rm -f "$root"/etc/systemd/system/timers.target.wants/apt-daily*
	# The newcomer has made it, and is still in the directory of the source.
	mkdir "$root/root/dsfw-nft" && cp "$PACKAGE" "$root/root/"
}

# The host's network: a name server, a registry of npm, and the rest of the world; apt has a relay.
surround()
{
	local netns=/proc/$$/ns/net proxy outside
	proxy=$(apt_proxy)
	unshare --net sleep infinity &
	helpers+=($!)
	outside=$!
	poll 5 has_its_own_net "$outside" || return
	nsenter -t "$init_pid" -n ip link add up0 type veth peer name peer0 netns "$outside" &&
		nsenter -t "$init_pid" -n ip addr add 192.0.2.1/24 dev up0 &&
		nsenter -t "$init_pid" -n ip link set up0 up &&
		nsenter -t "$init_pid" -n ip route add default via 192.0.2.2 &&
		nsenter -t "$outside" -n sh -c 'ip link set lo up && ip link set peer0 up &&
			ip addr add 192.0.2.2/24 dev peer0 && for address in 198.51.100.53 11.0.0.10 11.0.0.9; do
			ip addr add $address/32 dev lo || exit; done' || return
	nsenter -t "$outside" -n dnsmasq -k -C /dev/stdin --pid-file= <<-'CONFIG' >"$base/dnsmasq" 2>&1 &
		user=root
		no-resolv
		no-hosts
		bind-interfaces
		listen-address=198.51.100.53
		host-record=registry.npmjs.org,11.0.0.10
		host-record=example.com,11.0.0.9
	CONFIG
	helpers+=($!)
	nsenter -t "$outside" -n busybox httpd -f -p 80 -h "$base/web" &
	helpers+=($!)
	nsenter -t "$outside" -n busybox httpd -f -p 443 -h "$base/web" &
	helpers+=($!)
	nsenter -t "$init_pid" -n python3 "$lab/relay.py" $proxy_port "$netns" ${proxy:+"$proxy"} >"$base/relay" 2>&1 &
	helpers+=($!)
}

has_its_own_net() # PID
{
	[[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]
}

docker_is_up()
{
	[[ $(there docker info -f '{{.ServerVersion}}' 2>/dev/null) =~ ^[0-9] ]]
}

answers() # ADDRESS PORT: to the host itself
{
	nsenter -t "$init_pid" -n timeout 2 bash -c ": <>/dev/tcp/$1/$2" 2>/dev/null
}

# No registry: an image of one program, by `docker import`
import_busybox()
{
	local tree=$base/busybox
	mkdir -p "$tree"/{bin,etc,tmp} && cp "$(type -p busybox)" "$tree/bin/busybox" &&
		chroot "$tree" /bin/busybox --install -s /bin &&
		tar -c -C "$tree" . | there docker import -c 'CMD ["sh"]' - busybox >/dev/null
}

set_up()
{
	local began=$SECONDS
	mkdir "$base/web" && echo here >"$base/web/index.html" && boot_host && surround || return
	poll 30 docker_is_up && import_busybox && poll 10 answers 11.0.0.10 443 &&
		poll 10 answers 11.0.0.9 80 || return
	there apt-get -q update >"$base/apt" 2>&1 || {
		sed 's/^/# /' "$base/apt" "$base/relay"
		return 1
	}
	echo "# the host is up, after $((SECONDS - began)) s"
}

# Nothing of it stays.
tear_down()
{
	if [[ ${#helpers[@]} -gt 0 ]]; then
		kill "${helpers[@]}" 2>/dev/null
		wait "${helpers[@]}" 2>/dev/null # what is in use cannot be unmounted
	fi
	helpers=()
	shut_down
	unmount_tree
}

# ---- the newcomer ----------------------------------------------------------------------------------

# answers_to COMMAND: what the newcomer types when that asks, one a line
answers_to()
{
	case $1 in
	'apt install'*) echo y ;;
	# Not Docker's default network; a new one, of the name that it proposes; and npm
	'dsfw-nft init'*) printf '\n\n\nnpm\n' ;;
	esac
}

wanted_status() # COMMAND
{
	case $1 in
	'docker run'*) echo 1 ;; # refused
	*) echo 0 ;;
	esac
}

# type_in COMMAND: on a terminal; its output is $base/shown, its faults are printed
type_in()
{
	local typed status wanted
	mapfile -t typed < <(answers_to "$1")
	wanted=$(wanted_status "$1")
	timeout 300 python3 "$lab/../docker/init_answers.py" "${typed[@]}" -- \
		nsenter -t "$init_pid" -a --root --wd env -i -C /root/dsfw-nft LANG=C.UTF-8 TERM=dumb HOME=/root \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c "$1" >"$base/shown" 2>&1
	status=$?
	[[ $status -eq $wanted ]] || {
		echo "exit status $status, wanted $wanted"
		cat "$base/shown"
	}
}

# A newcomer does not type as fast as a test: what was refused is in the daemon's list a tenth of a second later.
denied_knows()
{
	denied_has 'example\.com'
}

denied_has() # PATTERN
{
	there dsfw-nft denied 2>/dev/null | grep -E "$1" >/dev/null
}

# Sets `took` to milliseconds of the clock on the wall.
run_command() # COMMAND
{
	local began=${EPOCHREALTIME/[.,]/} faults
	[[ $1 != 'dsfw-nft denied'* ]] || poll 5 denied_knows
	faults=$(type_in "$1")
	took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
	result "$1" "$faults"
	total=$((total + took))
	commands=$((commands + 1))
	echo "# after $took ms"
}

first_commands()
{
	local block place mark command
	mkdir "$base/blocks"
	python3 "$lab/../netns/examples.py" blocks "$base/blocks" "$top/README.md" || cannot "cannot read README.md"
	for block in "$base"/blocks/*.text; do
		IFS=$'\t' read -r place mark <"${block%.text}.mark"
		case $mark in
		newcomer)
			while read -r command <&3; do
				run_command "$command"
			done 3< <(sed -E 's/ +# .*//; /^$/d' "$block")
			;;
		'newcomer output')
			# The container's name is there, too, if the daemon has heard of it from Docker by then.
			sed -i -E 's/[a-z]+_[a-z]+ \(([0-9.]+)\)/\1/' "$base/shown"
			result "$place: what README shows" \
				"$(python3 "$lab/../netns/examples.py" shown "$block" "$base/shown")"
			;;
		esac
	done
}

outer()
{
	base=$(mktemp -d) || exit 1
	export base
	unshare_pid=
	helpers=()
	trap 'tear_down; exit 1' INT TERM HUP
	if ! { make_tree && set_up; }; then
		echo "Bail out! cannot make a host"
		tear_down
		exit 1
	fi
	total=0
	commands=0
	first_commands
	is "these were all commands of README's start" "$commands" 5
	sed 's/^/# /' "$base/shown"
	echo "# from apt install to the refused name in denied: $((total / 1000)).$((total % 1000 / 100)) s"
	result "that was a question for a name that ds-agents may not reach" \
		"$(grep -qE ' ds-agents .*example\.com .*dns A .*not in the policy' "$base/shown" || cat "$base/shown")"
	# On port 443 alone. Names open no addresses that are for documentation.
	is "what the preset allows is reached" "$(there docker run --rm --network ds-agents busybox \
		wget -q -O - http://registry.npmjs.org:443/ 2>&1)" here
	there docker run --rm --network ds-agents busybox wget -q -O - http://registry.npmjs.org/ >/dev/null 2>&1
	result "on other ports it is refused, and the packet has its name" "$(poll 5 denied_has \
		' ds-agents .*registry\.npmjs\.org.*11\.0\.0\.10.* tcp/80 +egress' || there dsfw-nft denied)"
	is "status is content" "$(there dsfw-nft status >"$base/status" 2>&1; echo $?; grep ALARM "$base/status")" 0
	is "it comes again with the next boot, before Docker" "$(there systemctl is-enabled dsfw-nft
		there systemctl show -P Before dsfw-nft | grep -o docker.service)" "enabled
docker.service"
	tear_down
	is "nothing of it stays" "$(ls -d "$base" "$cgroup" 2>/dev/null)" ""
	finish
}

case ${SYSTEMD_TEST:-} in
'')
	: "${PACKAGE:=$(compgen -G "${PACKAGE_DIRECTORY:-/nonexistent}/dsfw-nft_*.deb")}"
	[[ -r $PACKAGE ]] || cannot "no package: set PACKAGE, or run scripts/test package"
	[[ $(id -u) -eq 0 ]] || cannot "needs root"
	find_host || cannot "no Debian to install it on"
	export PACKAGE host_root
	enter_namespace
	;;
outer) outer ;;
init) init ;;
esac
