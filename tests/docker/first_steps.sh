#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# README's first steps by the letter: its blocks with the mark "first-steps", one after the other, as root on a host
# with Docker. Three things stand in for the rest of a host: the examples where the package puts them, an image called
# busybox that needs no registry, and a systemctl that runs the unit's command. TAP.
# shellcheck disable=SC2086,SC2317 # README's blocks and until_true call functions
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"

top=$lab/../..
daemon_pid=

set_up_files()
{
	cp -a /etc $t/etc && rm -rf $t/etc/dockside && mount --bind $t/etc /etc &&
		mount -t tmpfs none /usr/share/doc && mkdir -p /usr/share/doc/dsfw-nft $t/bin $t/blocks &&
		cp -r "$top/rulesets" /usr/share/doc/dsfw-nft/examples &&
		ln -s "$DSFW_NFT" $t/bin/dsfw-nft || return
	PATH=$t/bin:$PATH
}

ready()
{
	grep -qs ' READY=1$' $t/told
}

# Does the work of `systemctl enable --now dsfw-nft`: runs ExecStart of the unit, and waits until it is ready.
systemctl()
{
	local start
	[[ "$*" == "enable --now dsfw-nft" ]] || { echo "systemctl $*: not known here"; return 1; }
	start=$(sed -nE 's,^ExecStart=[^ ]*/dsfw-nft (.*),\1,p' "$top/scripts/dsfw-nft.service")
	mkdir -p /run/dockside
	NOTIFY_SOCKET=$t/notify dsfw-nft $start >$t/daemon-log 2>&1 &
	daemon_pid=$!
	until_true 15 ready || cat $t/daemon-log
}

# wanted_status COMMANDS: that of their last one
wanted_status()
{
	case $1 in
	*'docker run'*) echo 1 ;; # refused
	*) echo 0 ;;
	esac
}

# step COMMANDS: runs them here, so that what they start goes on; prints what is wrong
step()
{
	local wanted
	wanted=$(wanted_status "$(<"$1")")
	# shellcheck disable=SC1090 # a block of README
	. "$1" >$t/shown 2>&1
	status=$?
	comment <$t/shown
	[[ $status -eq $wanted ]] || echo "exit status $status, wanted $wanted" >>$t/faults
}

denied_has()
{
	prints 203.0.113.9 dsfw-nft denied
}

outside 203.0.113.9/32 || bail "cannot build the network"
set_up_files || bail "cannot set up the files"
python3 "$here/notify.py" $t/notify $t/told &
dockerd_start
busybox_image || bail "no image"
docker tag bb:1 busybox || bail "no image"
python3 "$here/examples.py" blocks $t/blocks "$top/README.md" || bail "cannot read README.md"
for block in "$t"/blocks/*.text; do
	IFS=$'\t' read -r place mark <"${block%.text}.mark"
	: >$t/faults
	case $mark in
	first-steps)
		# A packet that was refused is in the daemon's list a tenth of a second later.
		! grep -q 'dsfw-nft denied' "$block" || until_true 10 denied_has
		step "$block"
		;;
	*) continue ;;
	esac
	result "$place: $mark: $(head -n 1 "$block")" "$(<$t/faults)"
done
is "all steps were there" "$((n >= 5))" 1
like "the last one shows what was refused, and by which rule" "$(<$t/shown)" \
	'ds-web +[^ ]+ .*203\.0\.113\.9 +tcp/22 +egress\[2\] \(/etc/dockside/firewall-config\.json:12\)'
kill "$daemon_pid" && wait "$daemon_pid"
is "the daemon stops" "$?" 0
finish
