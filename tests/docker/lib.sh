# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced first by the scripts in this directory, in place of ../netns/lib.sh, which it brings along. Starts
# the script again in network, mount and pid namespaces of its own, where it is a Docker host with a
# dockerd, which is a real one and all its own. /run, /mnt and /sys are private, data and sockets are below
# /run/t, all other file systems are read-only, and containers and shims die with the pid namespace: but for
# kernel modules nothing reaches the machine, and nothing stays. There is no image registry: images are made
# here.
#
# The containers' network namespaces are in /run/netns by the containers' names, so that what ../netns has
# for packets works with them.
#
# Environment: DSFW_NFT, the program; DOCKERD, a dockerd.
set -u -o pipefail

lab=$(dirname "$(realpath "$0")")
: "${DOCKERD:=dockerd}"

# Control groups are the only thing that outlives the namespaces; they can go when their processes have.
remove_cgroups()
{
	local left
	for ((left = 100; left > 0; left--)); do
		find /sys/fs/cgroup -depth -type d -path "*/$LAB_CGROUP*" -exec rmdir {} + 2>/dev/null
		[[ -n $(find /sys/fs/cgroup -type d -name "$LAB_CGROUP" -print -quit) ]] || return 0
		sleep 0.05
	done
}

outer()
{
	local program=${DSFW_NFT:-${TOP_BUILDDIR:-$lab/../..}/dsfw-nft} tool
	if [[ $(id -u) -ne 0 ]]; then
		echo "1..0 # SKIP needs root"
		exit 0
	fi
	for tool in "$DOCKERD" docker busybox iptables; do
		type -p "$tool" >/dev/null || {
			echo "1..0 # SKIP no $tool (Debian packages docker.io, busybox-static, iptables)"
			exit 0
		}
	done
	DSFW_NFT=$(realpath "$program") || {
		echo "Bail out! no program at $program: set DSFW_NFT"
		exit 1
	}
	export DSFW_NFT NETNS_TEST_INSIDE=1 LAB_CGROUP=dsfw-nft-test-$$
	unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
		"$0" "$@" </dev/null &
	trap 'kill -KILL "$!"; wait "$!" 2>/dev/null; remove_cgroups; exit 1' INT TERM HUP
	wait "$!"
	status=$?
	remove_cgroups
	exit "$status"
}
[[ -n ${NETNS_TEST_INSIDE:-} ]] || outer "$@"

# set_up_host covers /sys, but runc needs the control groups.
mount -t tmpfs none /mnt && mkdir /mnt/cgroup && mount --rbind /sys/fs/cgroup /mnt/cgroup || exit 1
# shellcheck source=tests/netns/lib.sh
. "$lab/../netns/lib.sh"
here=$lab/../netns

docker_dir=$t/docker
dockerd_pid=
dockerd_log=$docker_dir/log
export DOCKER_HOST=unix://$docker_dir/docker.sock DOCKER_CONFIG=$docker_dir/cli
unset DOCKER_API_VERSION # the client and dockerd find what both speak
export TMPDIR=$t/tmp
# dockerd runs itself several times for each container, and collects garbage meanwhile: half of what that takes.
export GOGC=400

set_up_lab()
{
	local point
	mount --rbind /mnt/cgroup /sys/fs/cgroup && umount -R /mnt &&
		mkdir -p "$docker_dir" "$DOCKER_CONFIG" "$TMPDIR" || return
	for point in /etc/docker /opt; do # a key, and an empty directory of containerd
		[[ ! -d $point ]] || mount -t tmpfs none "$point" || return
	done
	mount -o remount,bind,ro / || return
	if mountpoint -q /tmp; then
		mount -o remount,bind,ro /tmp || return
	fi
	cat >"$docker_dir/daemon.json" <<-END
		{"deprecated-key-path": "$docker_dir/key.json"}
	END
}

# ---- what differs by Docker's version; which ones were seen is in README.md ------------------------

docker_version=$("$DOCKERD" --version | sed -nE 's/^Docker version ([^ ,]+).*/\1/p')

# docker_since VERSION: that one or a later one
docker_since()
{
	[[ $(printf '%s\n' "$1" "$docker_version" | sort -V | head -n 1) == "$1" ]]
}

# docker_user_rules: the rules that dockerd itself has in DOCKER-USER: 28.2.2 and later none
docker_user_rules()
{
	docker_since 28.2.2 || echo "-A DOCKER-USER -j RETURN"
}

# apart: the end of an attempt to reach a container of another network. Docker's own rules against it come after
# ours, which reset what the policy refuses; from 28 on Docker has some before any other
apart()
{
	docker_since 28 && echo silence || echo reset
}

# The API that the program and dockerd speak, and which of Docker's firewalls it is, as told from 1.49 on
docker_speaks()
{
	local minor
	minor=$(docker version -f '{{.Server.APIVersion}}')
	minor=${minor#1.}
	echo "API 1.$((minor < 51 ? minor : 51))$( ((minor < 49)) || echo ", firewall iptables")"
}

# ---- dockerd -------------------------------------------------------------------------------------

# dockerd_launch [OPTION…]: starts it without waiting for anything. Its containers outlive a restart.
dockerd_launch()
{
	"$DOCKERD" -H "$DOCKER_HOST" --config-file "$docker_dir/daemon.json" \
		--data-root "$docker_dir/root" --exec-root "$docker_dir/exec" -p "$docker_dir/pid" \
		--storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs \
		--cgroup-parent "/$LAB_CGROUP" --iptables=true --ip6tables=true --experimental \
		--live-restore "$@" >>"$dockerd_log" 2>&1 &
	dockerd_pid=$!
}

# Answers, or has ended.
dockerd_answers()
{
	docker version >/dev/null 2>&1 || ! kill -0 "$dockerd_pid" 2>/dev/null
}

# dockerd_start [OPTION…]: and waits until it answers
dockerd_start()
{
	dockerd_launch "$@"
	until_true 60 dockerd_answers
	docker version >/dev/null 2>&1 || bail "dockerd does not start: $(tail -5 "$dockerd_log")"
}

# dockerd_stop [SIGNAL]: by default TERM; containers go on
dockerd_stop()
{
	kill "-${1:-TERM}" "$dockerd_pid"
	wait "$dockerd_pid" 2>/dev/null
	dockerd_pid=
	# Its containerd ends with it, but not in the same moment.
	until_true 10 containerd_is_gone || bail "containerd does not end"
	rm -f "$docker_dir/pid"
}

# shellcheck disable=SC2317 # until_true calls it
containerd_is_gone()
{
	local pid
	read -r pid 2>/dev/null <"$docker_dir/exec/containerd/containerd.pid" || return 0
	! kill -0 "$pid" 2>/dev/null
}

# dockerd_restart [SIGNAL [OPTION…]]
dockerd_restart()
{
	dockerd_stop "${1:-TERM}"
	dockerd_start "${@:2}"
}

# image_from DIRECTORY NAME [CHANGE…]: an image with that content; changes as of `docker import`
image_from()
{
	local changes=() change
	for change in "${@:3}"; do
		changes+=(-c "$change")
	done
	tar -c -C "$1" . | docker import "${changes[@]}" - "$2" >/dev/null
}

# busybox_image: bb:1, which does nothing
busybox_image()
{
	local tree=$t/bb
	mkdir -p $tree/{bin,etc,proc,sys,dev,tmp} && cp "$(type -p busybox)" $tree/bin/busybox &&
		chroot $tree /bin/busybox --install -s /bin &&
		image_from $tree bb:1 'CMD ["sleep", "100000"]' && rm -r $tree
}

# engine METHOD PATH [JSON]: asks dockerd itself, see engine.py
engine()
{
	python3 "$lab/engine.py" "$docker_dir/docker.sock" "$@"
}

# ---- containers ----------------------------------------------------------------------------------

# container_run NAME NETWORK ADDRESS ADDRESS6 MAC [HOST-PORT:PORT…] [NETWORK=ADDRESS=MAC]: of bb:1; "-" for
# what Docker chooses
container_run()
{
	engine run "$@" >/dev/null && container_bind "$1"
}

# make_network NAME SUBNET GATEWAY [SUBNET6]: a Docker network with the options that we give to it
make_network()
{
	docker network create --driver bridge --subnet "$2" --gateway "$3" ${4:+--ipv6 --subnet "$4"} \
		-o com.docker.network.bridge.name="${1,,}" \
		-o com.docker.network.bridge.enable_icc=true \
		-o com.docker.network.bridge.enable_ip_masquerade=true \
		-o com.docker.network.bridge.host_binding_ipv4=0.0.0.0 \
		-o com.docker.network.driver.mtu=1500 "$1" >/dev/null
}

# network_made NAME SUBNET GATEWAY [SUBNET6]: a test: the program has made it, and so; else it is made here
network_made()
{
	local options='{{.Driver}} {{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}'
	options+='{{range $k, $v := .Options}}{{$k}}={{$v}} {{end}}'
	# The program is ready without Docker, if that takes its time.
	until_true 10 prints '"Name"' docker network inspect "$1"
	docker network inspect -f "$options" "$1" >$t/made 2>&1 || {
		result "the network $1 is made" "$(<$t/made)"
		make_network "$@" || bail "no network $1"
		return
	}
	is "the network $1 is made" "$(xargs <$t/made)" "$(network_wanted "$@")"
}

# network_wanted NAME SUBNET GATEWAY [SUBNET6]: what `docker network inspect` shall say
network_wanted()
{
	local b=com.docker.network.bridge six=false
	[[ -z ${4:-} ]] || six=true
	echo "bridge $six $2 $3 ${4:+$4 }$b.enable_icc=true $b.enable_ip_masquerade=true" \
		"$b.host_binding_ipv4=0.0.0.0 $b.name=${1,,} com.docker.network.driver.mtu=1500"
}

# container_bind NAME: its network namespace is in /run/netns from now on; again after a restart. Endpoints
# are mute, as those of lib.sh.
container_bind()
{
	local pid
	pid=$(docker inspect -f '{{.State.Pid}}' "$1") && [[ $pid -gt 0 ]] || return
	[[ ! -e /run/netns/$1 ]] || umount "/run/netns/$1" || return
	: >"/run/netns/$1"
	mount --bind "/proc/$pid/ns/net" "/run/netns/$1" && mute "$1" &&
		until_true 5 addresses_are_good "$1"
}

# shellcheck disable=SC2317 # until_true calls it
addresses_are_good()
{
	[[ -z $(ip -n "$1" -6 addr show tentative) ]]
}

# ---- what a policy denies, tried all the time, see stream.py -------------------------------------

# stream_begin PROBE…
stream_begin()
{
	rm -f $t/ready $t/stop
	python3 "$lab/stream.py" $t "$@" >$t/stream 2>&1 &
	stream_pid=$!
	until_true 10 test -e $t/ready || bail "no stream: $(<$t/stream)"
}

# stream_end: its lines are in $t/stream
stream_end()
{
	touch $t/stop
	wait "$stream_pid" || bail "the stream failed: $(<$t/stream)"
}

# stream_result DESCRIPTION MS: nothing may have arrived, or nothing after MS; "control" has to arrive
stream_result()
{
	result "$1" "$(awk -v limit="$2" '
		$2 != "-" && $2 < 20 { print $1 ": only " $2 " tries" }
		$1 == "control" { controls++; if (!$3) print "what is allowed does not arrive, either" }
		$1 != "control" && $3 && (!limit || $4 > limit) {
			print $1 ": " $3 " of " $2 " arrived, within " $4 " ms; wanted: " \
				(limit ? "at most " limit " ms" : "none") }
		END { if (NR < 2 || !controls) print "no stream" }' $t/stream)"
	awk -v what="$1" '{ tried += $2; if ($1 != "control") { n += $3; if ($4 > ms) ms = $4 } }
		END { print what ": " n " of " tried " denied packets arrived" (n ? ", within " ms " ms" : "") }' \
		<(grep -v ^control $t/stream) | comment
}

set_up_lab || bail "cannot set up a Docker host"
