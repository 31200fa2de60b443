#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The probe reads kinds of interfaces, and settings under /proc/sys, in a network namespace of its own. TAP.
set -u -o pipefail

if [[ ${1:-} != --inside ]]; then
	self=$(realpath "$0")
	build=$(realpath "${TOP_BUILDDIR:-$(dirname "$self")/../..}")
	exec unshare -n -m --propagation private "$self" --inside "$build"
fi
probe=$2/tests/netns/sysctl_probe
settings=/proc/sys/net/bridge/bridge-nf

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# In a fresh network namespace /proc/sys/net is its own.
if ! { ip link add ds-prod type bridge && ip link add veth0 type veth peer name veth1 &&
	ip link add br-0123456789ab type bridge &&
	ip link property add dev br-0123456789ab altname ds-alias; }; then
	echo "Bail out! no interfaces"
	exit 1
fi
is "a bridge" "$("$probe" link ds-prod)" bridge
is "something else" "$("$probe" link veth0)" other
is "the loopback" "$("$probe" link lo)" other
is "nothing" "$("$probe" link ds-clone)" missing
is "a bridge's alternative name is no interface's name" "$("$probe" link ds-alias)" missing
is "a longer name that begins like a bridge's" "$("$probe" link br-0123456789abc)" missing

learns=/sys/class/net/ds-prod/bridge/no_linklocal_learn
mount -t sysfs none /sys # of this namespace
is "a bridge learns from what no rule sees" "$(<$learns)" 0
is "and is kept from it" "$("$probe" learn ds-prod && cat $learns)" 1
is "once" "$("$probe" learn ds-prod)" "it does not learn"
like() { # DESCRIPTION GOT PATTERN
	result "$1" "$([[ $2 =~ $3 ]] || echo "got: $2")"
}
like "what the kernel refuses is told" "$("$probe" learn veth0)" "^bridge veth0: set no_linklocal_learn: "

if [[ -e $settings-call-iptables ]]; then
	echo 0 >$settings-call-ip6tables
	echo 1 >$settings-call-iptables
	is "a setting that is off is named" "$("$probe" bridge-check)" \
		"$settings-call-ip6tables is 0, not 1"
	is "settings are made" "$("$probe" bridge)" changed
	is "and stay" "$(cat $settings-call-iptables $settings-call-ip6tables \
		$settings-filter-vlan-tagged | xargs)" "1 1 1"
	is "once" "$("$probe" bridge)" unchanged
	is "and are found good" "$("$probe" bridge-check)" ""
	mount --bind /dev/null $settings-call-iptables
	is "nonsense is not believed" "$("$probe" bridge-check)" \
		"$settings-call-iptables is not a number: "
	umount $settings-call-iptables
	mount -t tmpfs none /proc/sys/net/bridge
	is "without br_netfilter the message says what to do" "$("$probe" bridge)" \
		"make bridged packets pass the firewall: $settings-call-iptables does not exist: load \
the kernel module br_netfilter (modprobe br_netfilter)"
	umount /proc/sys/net/bridge
else
	is "without br_netfilter the message says what to do" "$("$probe" bridge)" \
		"make bridged packets pass the firewall: $settings-call-iptables does not exist: load \
the kernel module br_netfilter (modprobe br_netfilter)"
fi

backlog=net/core/somaxconn
echo 1000 >/proc/sys/$backlog
is "a setting is raised" "$("$probe" raise $backlog 2000; cat /proc/sys/$backlog)" 2000
is "never lowered" "$("$probe" raise $backlog 1500; cat /proc/sys/$backlog)" 2000
is "one that does not exist is named" "$("$probe" raise net/nonesuch 1)" \
	"open /proc/sys/net/nonesuch: No such file or directory"

finish
