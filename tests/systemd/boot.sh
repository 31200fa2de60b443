# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by lib.sh and newcomer.sh, which come from outside: boots the systemd of a directory as the first process of
# namespaces of its own, on an overlay, so that the directory stays as it is. Its processes reach neither the machine's
# files nor its network; nothing stays but the limits of inotify, which the daemon raises.
#
# The script that sources this starts itself again: with SYSTEMD_TEST=outer in a mount namespace (enter_namespace), and
# with SYSTEMD_TEST=init as the first process, where it has to call `init`.

cannot() # WHY
{
	echo "Bail out! $1"
	exit 1
}

# mount_tree LOWER: $base/root is that directory, for the time being to be written to
mount_tree()
{
	mount -t tmpfs -o mode=755 none "$base" && mkdir "$base"/{upper,work,root,cgroup} &&
		mount -t overlay -o "lowerdir=$1,upperdir=$base/upper,workdir=$base/work" none "$base/root" &&
		mount -t cgroup2 none "$base/cgroup"
}

unmount_tree()
{
	umount -R "$base" 2>/dev/null
	rmdir "$base"
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

# boot_host: $init_pid is the first process; fails if it does not come up, or has ended
boot_host()
{
	# As this process is, which is all of the machine for some, a session's for others.
	local cgroups
	cgroups=$base/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
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
}

# enter_namespace: starts the script again, with mounts of its own
enter_namespace()
{
	[[ $(id -u) -eq 0 ]] || cannot "needs root"
	self=$(realpath "$0")
	export self SYSTEMD_TEST=outer
	exec unshare --mount --propagation private "$self"
}
