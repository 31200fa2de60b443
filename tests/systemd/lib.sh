# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced first by the scripts in this directory, in place of ../netns/lib.sh, which it brings along. Boots
# this machine's systemd on an overlay of this machine's file system, as the first process of namespaces of
# its own, and starts the script again in there, as somebody who has logged in: $boot is 1. After `reboot_host`
# it is started once more, $boot being 2, on the same file system. Nothing of the machine is started but
# systemd and its journal, nothing reaches the machine's own files and network, and nothing stays but the limits
# of inotify, which the daemon raises.
#
# Environment: PACKAGE, the Debian package, which is /test/package.deb inside; or PACKAGE_DIRECTORY, where it is.
set -u -o pipefail

lab=$(dirname "$(realpath "$0")")
# shellcheck source=tests/tap.sh
. "$lab/../tap.sh" # outside, too: for its clock
rebooting=99 # exit status of a script that wants another boot

# ---- outside -------------------------------------------------------------------------------------

cannot() # WHY
{
	echo "Bail out! $1"
	exit 1
}

# Removes the machine's units there, so that none starts that would reach for the machine.
leave_only_the_journal() # ROOT
{
	local units=$1/usr/lib/systemd/system
	rm -rf "$1"/etc/systemd/system/* "$1"/etc/systemd/system-generators "$1"/etc/rc?.d \
		"$1"/usr/lib/systemd/system-generators/* "$1"/var/log/journal "$1"/etc/fstab
	find "$units" -maxdepth 1 -name '*.wants' -exec rm -r {} +
	mkdir "$units"/{sysinit,sockets}.target.wants &&
		ln -s ../systemd-journald.service "$units/sysinit.target.wants/" &&
		ln -s ../systemd-journald.socket "$units/sockets.target.wants/"
}

make_tree()
{
	local root=$base/root file
	mount -t tmpfs -o mode=755 none "$base" && mkdir "$base"/{upper,work,root,cgroup} &&
		mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" none "$root" &&
		mount -t cgroup2 none "$base/cgroup" && leave_only_the_journal "$root" || return
	# A machine that has been booted before, whose services start, and whose names are /run/t's to know.
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	rm -rf "$root/usr/sbin/policy-rc.d" "$root/var/lib/man-db/auto-update" \
		"$root/etc/dockside" "$root/var/lib/dsfw-nft"
	for file in hosts resolv.conf; do
		ln -sf "/run/t/$file" "$root/etc/$file" || return
	done
	# A Docker that asked the host's own resolver for its containers would be an alarm.
	mkdir -p "$root/etc/docker" && echo '{"dns": ["192.0.2.53"]}' >"$root/etc/docker/daemon.json"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
	mkdir "$root/test" && cp -r "$lab/../tap.sh" "$lab/../netns" "$lab/../docker" "$lab" "$root/test/" &&
		cp "$PACKAGE" "$root/test/package.deb"
}

# Is the first process: makes a machine of the tree, and becomes systemd.
init()
{
	local root=$base/root node
	mount -t tmpfs -o mode=755 none "$root/run" && mount -t tmpfs none "$root/tmp" &&
		mount -t proc none "$root/proc" && mount -t sysfs none "$root/sys" &&
		mount -t cgroup2 none "$root/sys/fs/cgroup" &&
		mount -t tmpfs -o mode=755 none "$root/dev" && mkdir "$root"/dev/{pts,shm} "$root/run/t" &&
		mount -t devpts -o newinstance none "$root/dev/pts" && mount -t tmpfs none "$root/dev/shm" || exit
	for node in null zero full random urandom tty; do
		: >"$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node" || exit
	done
	ln -s /proc/self/fd "$root/dev/fd" && ln -s pts/ptmx "$root/dev/ptmx" || exit
	# Settings that are not of the network namespace are the machine's. Of what is read-only systemd 257 makes
	# nothing that a unit can write.
	mount --bind "$root/proc/sys" "$root/proc/sys" &&
		mount --bind "$root/proc/sys/net" "$root/proc/sys/net" &&
		mount --bind "$root/proc/sys/fs/inotify" "$root/proc/sys/fs/inotify" &&
		mount -o remount,bind,ro "$root/proc/sys" || exit
	echo "127.0.0.1 localhost" >"$root/run/t/hosts"
	: >"$root/run/t/resolv.conf"
	cd "$root" && mkdir -p .old && pivot_root . .old && umount -l /.old && rmdir /.old &&
		mount --make-rshared / || exit
	exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		/lib/systemd/systemd --unit=multi-user.target --show-status=no
}

# poll SECONDS COMMAND…: fails when so many calm seconds are over, or five times as many on a busy machine
poll()
{
	local begin deadline=$((SECONDS + 5 * $1 + 1))
	begin=$(calm)
	until "${@:2}"; do
		((SECONDS < deadline && $(calm_since "$begin") <= $1 * 1000)) || return 1
		sleep 0.05
	done
}

ended()
{
	! kill -0 "$unshare_pid" 2>/dev/null
}

there() # COMMAND…: runs it in the namespaces
{
	nsenter -t "$init_pid" -a --root --wd env -i LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ "$@"
}

# Or has ended.
is_up()
{
	ended && return
	init_pid=$(pgrep -P "$unshare_pid") && [[ $(<"/proc/$init_pid/comm") == systemd ]] &&
		[[ $(there systemctl is-system-running 2>/dev/null) == @(running|degraded) ]]
}

cgroup_is_gone()
{
	find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
	[[ ! -d $cgroup ]]
}

# Ends everything that has been started, and waits until it has.
shut_down()
{
	[[ -n $unshare_pid ]] || return 0
	[[ -z $init_pid ]] || kill -KILL "$init_pid" 2>/dev/null
	kill -KILL "$unshare_pid" 2>/dev/null
	wait "$unshare_pid" 2>/dev/null
	unshare_pid=
	poll 5 cgroup_is_gone
}

# run_boot NUMBER: its exit status is the script's
run_boot()
{
	cgroup=$(mktemp -d "$cgroups/dsfw-nft-test-XXXXXX") || return
	# Both the first process and unshare, which waits for it, are in there.
	# shellcheck disable=SC2016 # its parameters
	SYSTEMD_TEST=init sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" \
		unshare --pid --mount --cgroup --net --uts --ipc --fork --kill-child \
		--propagation slave "$self" </dev/null >"$base/console" 2>&1 &
	unshare_pid=$!
	init_pid=
	if ! poll 30 is_up || ended; then
		echo "Bail out! systemd does not come up"
		sed 's/^/# /' "$base/console"
		shut_down
		return 1
	fi
	there SYSTEMD_TEST=inside SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 NETNS_TEST_INSIDE=1 \
		NETNS_TEST_BOOTED=1 DSFW_NFT=/usr/sbin/dsfw-nft boot="$1" \
		bash "/test/systemd/${self##*/}" </dev/null
	status=$?
	if [[ $status -eq $rebooting ]]; then
		there systemctl reboot >/dev/null 2>&1
		poll 30 ended || echo "# it does not reboot, and is killed"
	fi
	shut_down
	return "$status"
}

outer()
{
	local number=0
	base=$(mktemp -d) || exit 1
	unshare_pid=
	make_tree || {
		echo "Bail out! cannot make a file system"
		umount -R "$base" 2>/dev/null
		rmdir "$base"
		exit 1
	}
	# As this process is, which is all of the machine for some, a session's for others.
	cgroups=$base/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
	export base
	trap 'shut_down; umount -R "$base"; rmdir "$base"; exit 1' INT TERM HUP
	status=$rebooting
	while [[ $status -eq $rebooting && $number -lt 9 ]]; do
		number=$((number + 1))
		run_boot "$number"
		status=$?
	done
	umount -R "$base" && rmdir "$base"
	exit "$status"
}

case ${SYSTEMD_TEST:-} in
'')
	self=$(realpath "$0")
	[[ $(id -u) -eq 0 ]] || cannot "needs root"
	[[ -x /lib/systemd/systemd && -x /usr/bin/dpkg ]] || cannot "no systemd (Debian package systemd)"
	: "${PACKAGE:=$(compgen -G "${PACKAGE_DIRECTORY:-/nonexistent}/dsfw-nft_*.deb")}"
	[[ -r $PACKAGE ]] || cannot "no package: set PACKAGE, or run scripts/test package"
	export PACKAGE self SYSTEMD_TEST=outer
	exec unshare --mount --propagation private "$self"
	;;
outer)
	outer
	;;
init)
	init
	;;
esac

# ---- inside --------------------------------------------------------------------------------------

# shellcheck source=tests/netns/lib.sh
. "$lab/../netns/lib.sh"
# shellcheck disable=SC2034 # for those who source this
here=$lab/../netns
if [[ $boot -gt 1 ]]; then
	read -r n failed </test/state
fi

# reboot_host: the script goes on with the next boot
reboot_host()
{
	echo "$n $failed" >/test/state
	exit "$rebooting"
}
