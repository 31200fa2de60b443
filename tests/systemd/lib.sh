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
# shellcheck source=tests/systemd/boot.sh
. "$lab/boot.sh"
rebooting=99 # exit status of a script that wants another boot

# ---- outside -------------------------------------------------------------------------------------

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
	mount_tree / && leave_only_the_journal "$root" || return
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

# run_boot NUMBER: its exit status is the script's
run_boot()
{
	boot_host || return
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
		unmount_tree
		exit 1
	}
	export base
	trap 'shut_down; unmount_tree; exit 1' INT TERM HUP
	status=$rebooting
	while [[ $status -eq $rebooting && $number -lt 9 ]]; do
		number=$((number + 1))
		run_boot "$number"
		status=$?
	done
	unmount_tree
	exit "$status"
}

case ${SYSTEMD_TEST:-} in
'')
	[[ -x /lib/systemd/systemd && -x /usr/bin/dpkg ]] || cannot "no systemd (Debian package systemd)"
	: "${PACKAGE:=$(compgen -G "${PACKAGE_DIRECTORY:-/nonexistent}/dsfw-nft_*.deb")}"
	[[ -r $PACKAGE ]] || cannot "no package: set PACKAGE, or run scripts/test package"
	export PACKAGE
	enter_namespace
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
