#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The program says so if it cannot do something, with the right exit status, and changes nothing. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

good_config()
{
	network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"},
		{"name": "ds-b", "subnet": "172.30.2.0/24"}]}'
	firewall_config <<<'{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}'
}
other_config()
{
	good_config
	firewall_config <<<'{"networks": {"ds-a": {"egress": [{"proto": "udp"}]},
		"ds-b": {"egress": [{"action": "drop", "proto": "tcp"}]}}}'
}
good_config
dsfw apply
is "apply" "$status" 0
listing >$t/wanted
good_generation=$(generation)

# refused DESCRIPTION STATUS PATTERN: the last dsfw said that, on standard error, and changed nothing
refused()
{
	result "$1" "$(
		status_fault "$2"
		[[ $err =~ $3 ]] || printf 'it does not say "%s":\n%s\n' "$3" "$err"
		[[ -z $out ]] || printf 'on standard output:\n%s\n' "$out"
		[[ $(generation) == "$good_generation" ]] || echo "the kernel's ruleset has changed"
		listing | diff $t/wanted -
	)"
}

# ---- interfaces that are no bridges --------------------------------------------------------------

other_config
for kind in veth dummy ifb; do # some kernels lack some
	ip link add ds-b type "$kind" 2>/dev/null || continue
	dsfw apply
	refused "a network whose interface is a $kind" 1 "ds-b.*not a bridge|not a bridge.*ds-b"
	dsfw diff
	refused "diff says so, too" 1 "not a bridge"
	dsfw check --kernel
	refused "and check --kernel" 1 "not a bridge"
	ip link delete ds-b
done
ip link add ds-b type veth peer name peer
firewall_config <<<'{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}'
dsfw apply
is "the interface of an unmanaged network is its own affair" "$status $out" \
	"0 nothing to change: 1 managed network"
ip link delete ds-b
ip link add ds-b type bridge
other_config
dsfw check --kernel
is "check --kernel of what would work changes nothing" "$status $(generation)" "0 $good_generation"
good_config

# ---- bad configurations --------------------------------------------------------------------------

firewall_config <<<'{"networks": {"ds-a": {"egress": [{"action": "dorp"}]}}}'
for command in apply diff check compile; do
	dsfw $command
	refused "$command: a bad firewall configuration" 3 "firewall.json:1:[0-9]+: error: .*dorp"
done
good_config
network_config <<<'{"networks": [{"name": "ds-a"}]}'
dsfw apply
refused "a bad network configuration" 3 'network.json:1:[0-9]+: error: .*subnet'
rm $t/network.json
dsfw apply
refused "none" 3 'network.json: .*No such file'
good_config

# ---- bad usage -----------------------------------------------------------------------------------

# usage DESCRIPTION PATTERN ARGUMENT…
usage()
{
	"$DSFW_NFT" "${@:3}" >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
	refused "$1" 2 "$2"
}
files=(--network-config "$t/network.json" --firewall-config "$t/firewall.json")
usage "no command" "no command"
usage "an unknown command" "aply.*apply" aply
usage "an unknown option" "--no-such" apply "${files[@]}" --no-such
usage "an option without its argument" "--network-config" apply --network-config
usage "an option of another command" "output" apply "${files[@]}" --output x
usage "an argument too many" "surplus" apply "${files[@]}" surplus
for ttl in "" abc -1 0 1.5 "5 " " 5" 5s 0x10 99999999999999999999; do
	IPSET_STALE_TTL=$ttl usage "IPSET_STALE_TTL=\"$ttl\"" "IPSET_STALE_TTL" apply "${files[@]}"
done

# ---- output that goes nowhere --------------------------------------------------------------------

good_config
# A result that cannot be told.
for command in compile check apply diff version help teardown; do
	options=("${files[@]}")
	[[ $command != version && $command != help ]] || options=()
	"$DSFW_NFT" $command "${options[@]}" >/dev/full 2>$t/err
	like "$command: a full standard output" "$? $(<$t/err)" "^1 .*No space left on device"
	"$DSFW_NFT" $command "${options[@]}" >&- 2>$t/err
	like "$command: a closed standard output" "$? $(<$t/err)" "^1 .*Bad file descriptor"
done
dsfw apply
good_generation=$(generation)

mkdir $t/small
mount -t tmpfs -o size=64k none $t/small
echo old >$t/small/script.nft
dsfw compile -o $t/small/script.nft
is "compile -o" "$status $out $(grep -c 'chain ds-a-OUT' $t/small/script.nft)" "0  1"
is "makes a file that everybody can read" "$(stat -c %a $t/small/script.nft)" 644
echo old >$t/small/script.nft
cat /dev/zero >$t/small/filler 2>/dev/null
dsfw compile -o $t/small/script.nft
refused "a full disk" 1 "small/script.nft.*: No space left on device"
is "the old file is as it was, and nothing besides" "$(ls $t/small) $(<$t/small/script.nft)" \
	"filler
script.nft old"
rm $t/small/filler
mount -o remount,ro $t/small
dsfw compile -o $t/small/script.nft
refused "a disk that is read-only" 1 "small/script.nft.*: Read-only file system"
umount $t/small
dsfw compile -o $t/nowhere/script.nft
refused "a directory that is not there" 1 "nowhere/script.nft.*: No such file or directory"
dsfw compile -o $t/small
refused "a directory" 1 "small.*: (Is a directory|File exists)"

# ---- a kernel that refuses -----------------------------------------------------------------------

other_config
# without WHAT COMMAND…: dsfw with a changed process
without()
{
	"$@" timeout 60 "$DSFW_NFT" apply "${files[@]}" >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}
without setpriv --bounding-set=-net_admin
refused "without CAP_NET_ADMIN" 1 "apply: .*Operation not permitted"
without setpriv --reuid=65534 --regid=65534 --clear-groups
refused "as a user" 1 "apply: .*(Operation not permitted|Permission denied)"

nft delete table inet dockside
coproc OWNER { exec nft -i >/dev/null 2>&1; }
owner=$!
echo 'add table inet dockside { flags owner; }' >&"${OWNER[1]}"
echo 'add chain inet dockside theirs' >&"${OWNER[1]}"
until_true 5 prints theirs nft list table inet dockside || bail "no owner"
listing >$t/wanted
good_generation=$(generation)
for command in apply diff teardown "check --kernel"; do
	# shellcheck disable=SC2086
	dsfw $command
	refused "$command: a table that somebody else owns" 1 "owned by another process"
done
eval "exec ${OWNER[1]}>&-"
wait "$owner"
dsfw apply
is "once its owner has gone" "$status" 0

# ---- settings that cannot be made ----------------------------------------------------------------

# In another mount namespace, /proc/sys being read-only.
read_only()
{
	# shellcheck disable=SC2016
	unshare --mount --propagation private sh -c 'mount --bind /proc/sys /proc/sys &&
		mount -o remount,bind,ro /proc/sys && exec "$@"' sh "$DSFW_NFT" "$@" "${files[@]}" \
		>$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}
setting=/proc/sys/net/bridge/bridge-nf-call-ip6tables
read_only apply
is "settings that are right need not be made" "$status $out" "0 nothing to change: 2 managed networks"
echo 0 >$setting
good_config
read_only apply
like "a setting that cannot be made is said" "$status $err" "^1 .*bridge-nf-call-ip6tables"
is "but egress is enforced" "$(nft list table inet dockside | grep -c 'ds-b')" 0
is "and it is the setting that is wrong" "$(<$setting)" 0
dsfw apply
is "where it can be made" "$status $(<$setting)" "0 1"
echo 0 >$setting
dsfw teardown
dsfw apply
is "also at the first apply" "$status $(<$setting)" "0 1"
finish
