#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Element batches and nf_tables events against the real kernel, in namespaces of its own. TAP. Plain
# sh, and few programs, so that it runs in a small system under another kernel, too: there, without
# unshare and with nothing to spare, it takes the whole machine, and sets_probe from the PATH.
set -u

here=${0%/*}
if [ -z "${SETS_TEST_INSIDE:-}" ]; then
	probe=${TOP_BUILDDIR:-$here/../..}/tests/netns/sets_probe
	[ -x "$probe" ] || probe=$(command -v sets_probe) || {
		echo "Bail out! no sets_probe"
		exit 1
	}
	export SETS_TEST_INSIDE="$probe"
	if command -v unshare >/dev/null; then
		if [ ! -w /proc/1/environ ]; then
			echo "1..0 # SKIP needs root"
			exit 0
		fi
		exec unshare --net --mount --propagation private "$0"
	fi
fi
probe=$SETS_TEST_INSIDE
# Not busybox's own, which is what its shell would take.
ip=/sbin/ip
[ -x "$ip" ] || ip=/bin/ip
t=/run/t
n=0
failed=0
events_pid=
trap '[ -z "$events_pid" ] || kill "$events_pid"' EXIT

# is DESCRIPTION GOT WANTED
is()
{
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
		return
	fi
	failed=1
	echo "not ok $n - $1"
	printf 'got:\n%s\nwanted:\n%s\n' "$2" "$3" | sed 's/^/# /'
}

# The elements of a set, one a line, without the time that they have left. It is no more than the
# timeout, and just after a renewal no less than nine tenths of it: otherwise "aged".
elements()
{
	case $1 in
	nat*) nft list map inet dockside "$1" ;;
	*) nft list set inet dockside "$1" ;;
	esac 2>&1 | tr -s '\n\t ' ' ' |
		sed -n 's/.*elements = { \(.*\) } } }.*/\1/p' | sed 's/, */\n/g' | awk '
		function ms(s, total, number, unit) {
			total = 0
			while (match(s, /^[0-9]+(ms|[dhms])/)) {
				number = s + 0
				unit = substr(s, length(number "") + 1, RLENGTH - length(number ""))
				s = substr(s, RLENGTH + 1)
				total += number * factor[unit]
			}
			return total
		}
		BEGIN {
			factor["ms"] = 1
			factor["s"] = 1000
			factor["m"] = 60000
			factor["h"] = 3600000
			factor["d"] = 86400000
		}
		{
			line = ""
			for (i = 1; i <= NF; i++) {
				if ($i == "timeout") timeout = ms($(i + 1))
				if ($i == "expires") {
					left = ms($++i)
					if (left > timeout) line = line " future"
					if (left < timeout * 0.9) line = line " aged"
				} else
					line = line (i > 1 ? " " : "") $i
			}
			print line
		}' | sort
}

count()
{
	nft list set inet dockside "$1" | tr ',' '\n' | grep -c "$2"
}

commit()
{
	"$probe" commit "$1"
}

generation()
{
	"$probe" generation
}

# many KIND TIMEOUT COUNT: operations on IPv6 addresses with the longest comment there may be
many()
{
	awk -v kind="$1" -v timeout="$2" -v n="$3" 'BEGIN {
		comment = sprintf("%128s", "x")
		gsub(/ /, "x", comment)
		for (i = 1; i <= n; i++)
			printf "%s many6 v6 2001:db8::%x %d %s\n", kind, i, timeout, comment
	}'
}

declare_table()
{
	nft -f - <<-END
		table inet dockside
		delete table inet dockside
		table inet dockside {
			set v4 { type ipv4_addr; flags timeout; }
			set v6 { type ipv6_addr; flags timeout; }
			set plain { type ipv4_addr; }
			set portmac { type ifname . ether_addr; }
			set port4 { type ifname . ipv4_addr; }
			set port6 { type ifname . ipv6_addr; }
			set portmac4 { type ifname . ether_addr . ipv4_addr; }
			set portmac6 { type ifname . ether_addr . ipv6_addr; }
			set many6 { type ipv6_addr; flags timeout; }
			set many { type ipv4_addr; flags timeout; }
			map nat4 {
				type inet_proto . inet_service : ipv4_addr . inet_service
				flags timeout
				counter
			}
			map nat6 {
				type inet_proto . inet_service : ipv6_addr . inet_service
				flags timeout
				counter
			}
			chain out {
				type filter hook output priority 0;
				udp dport 9 jump discard
			}
			chain discard {
				ip daddr @v4 counter accept
				counter drop
			}
		}
	END
}

set_up()
{
	if [ -n "$(command -v unshare)" ]; then
		mount -t tmpfs none /run || return
	fi
	mkdir -p "$t" /run/netns
	"$ip" link set lo up && "$ip" netns add far &&
		"$ip" link add n0 type veth peer name f0 netns far &&
		"$ip" addr add 198.51.100.1/24 dev n0 && "$ip" link set n0 up &&
		"$ip" -n far addr add 198.51.100.2/24 dev f0 && "$ip" -n far link set f0 up &&
		declare_table
}

if ! set_up >&2; then
	echo "Bail out! no network"
	exit 1
fi

# ---- what this kernel does -----------------------------------------------------------------------

renewal=$("$probe" renewal)
is "how elements are renewed was found out: in place since Linux 6.12" "$renewal" \
	"$(uname -r | awk -F . '{ print($1 * 1000 + $2 >= 6012 ? "in-place" : "replace") }')"
is "and no trace is left of it" "$(nft list tables)" "table inet dockside"

# ---- elements, either way ------------------------------------------------------------------------

test_elements() # RENEWAL
{
	declare_table
	is "$1: all kinds of sets in one transaction" "$(commit "$1" <<-END
		present v4 v4 192.0.2.1 600000 one; "two" of \`them'
		present v4 v4 192.0.2.2 0
		present v4 v4 192.0.2.3 0 permanent
		renew v4 v4 192.0.2.4 600000 renewed before it was there
		present v6 v6 2001:db8::1 600000 six
		present v6 v6 2001:db8::2 0
		present nat4 nat4 80/192.0.2.80/8080 600000 nat
		present nat4 nat4 81/192.0.2.80/8081 0
		present nat6 nat6 80/2001:db8::80/8080 600000 nat
		present plain v4 192.0.2.9 0 plain
	END
	)" committed
	is "$1: IPv4" "$(elements v4)" '192.0.2.1 timeout 10m comment "one; "two" of `them'\''"
192.0.2.2
192.0.2.3 comment "permanent"
192.0.2.4 timeout 10m comment "renewed before it was there"'
	is "$1: IPv6" "$(elements v6)" '2001:db8::1 timeout 10m comment "six"
2001:db8::2'
	is "$1: maps" "$(elements nat4; elements nat6)" \
		'tcp . 80 counter packets 0 bytes 0 timeout 10m comment "nat" : 192.0.2.80 . 8080
tcp . 81 counter packets 0 bytes 0 : 192.0.2.80 . 8081
tcp . 80 counter packets 0 bytes 0 timeout 10m comment "nat" : 2001:db8::80 . 8080'
	is "$1: a set without timeouts" "$(elements plain)" '192.0.2.9 comment "plain"'

	is "$1: sets of ports" "$(commit "$1" <<-END
		present portmac portmac v1/02:00:00:00:00:01 0
		present portmac portmac v2/02:00:00:00:00:02 0
		absent portmac portmac v2/02:00:00:00:00:02 0
		present port4 port4 v1/192.0.2.1 0
		present port6 port6 v1/2001:db8::1 0
		present portmac4 portmac4 v1/02:00:00:00:00:01/192.0.2.1 0
		present portmac6 portmac6 v1/02:00:00:00:00:01/2001:db8::1 0 six
		present portmac6 portmac6 v1/02:00:00:00:00:01/2001:db8::2 0
		absent portmac6 portmac6 v1/02:00:00:00:00:01/2001:db8::2 0
	END
	)" committed
	is "$1: with names, MAC and IP addresses" \
		"$(for set in portmac port4 port6 portmac4 portmac6; do elements $set; done)" \
		'"v1" . 02:00:00:00:00:01
"v1" . 192.0.2.1
"v1" . 2001:db8::1
"v1" . 02:00:00:00:00:01 . 192.0.2.1
"v1" . 02:00:00:00:00:01 . 2001:db8::1 comment "six"'

	nft -f - <<-END
		flush set inet dockside v4
		flush set inet dockside v6
		flush map inet dockside nat4
		add element inet dockside v4 { 192.0.2.1 timeout 10m expires 50s comment "old",
			192.0.2.2 timeout 10m expires 50s, 192.0.2.3 timeout 10m expires 50s,
			192.0.2.4, 192.0.2.5 comment "old" }
		add element inet dockside v6 { 2001:db8::1 timeout 10m expires 50s }
		add element inet dockside nat4 { tcp . 80 counter packets 5 bytes 500 timeout 10m \
			expires 50s : 192.0.2.80 . 8080 }
	END
	is "$1: (the test sees age)" "$(elements v6)" "2001:db8::1 timeout 10m aged"
	is "$1: renewals" "$(commit "$1" <<-END
		renew v4 v4 192.0.2.1 600000 new
		renew v4 v4 192.0.2.2 3600000
		renew v4 v4 192.0.2.3 0
		renew v4 v4 192.0.2.4 600000
		renew v4 v4 192.0.2.5 0
		renew v6 v6 2001:db8::1 600000
		renew nat4 nat4 80/192.0.2.80/8080 600000
	END
	)" committed
	if [ "$1" = in-place ]; then
		is "$1: comments and counters stay" "$(elements v4 | grep comment; elements nat4)" \
			'192.0.2.1 timeout 10m comment "old"
192.0.2.5 comment "old"
tcp . 80 counter packets 5 bytes 500 timeout 10m : 192.0.2.80 . 8080'
	fi
	is "$1: same, longer, none, some, none again" "$(elements v4 | sed 's/ comment.*//')" \
		"192.0.2.1 timeout 10m
192.0.2.2 timeout 1h
192.0.2.3
192.0.2.4 timeout 10m
192.0.2.5"
	is "$1: of IPv6" "$(elements v6)" "2001:db8::1 timeout 10m"
	is "$1: of a map" "$(elements nat4 | sed 's/counter.*bytes [0-9]* //')" \
		"tcp . 80 timeout 10m : 192.0.2.80 . 8080"

	nft -f - <<-END
		flush set inet dockside v4
		add element inet dockside v4 { 192.0.2.1 timeout 10m expires 50s comment "old",
			192.0.2.2 timeout 10m, 192.0.2.3 timeout 10m, 192.0.2.4 timeout 10m }
	END
	is "$1: made present, made absent, in any order" "$(commit "$1" <<-END
		present v4 v4 192.0.2.1 600000 new
		absent v4 v4 192.0.2.2 0
		absent v4 v4 192.0.2.99 0
		absent v4 v4 192.0.2.99 0
		absent v4 v4 192.0.2.3 0
		present v4 v4 192.0.2.3 600000 back
		present v4 v4 192.0.2.3 600000 twice
		present v4 v4 192.0.2.5 0
		absent v4 v4 192.0.2.5 0
		absent v6 v6 2001:db8::99 0
		absent nat4 nat4 99/192.0.2.80/80 0
	END
	)" committed
	is "$1: as the order says" "$(elements v4)" '192.0.2.1 timeout 10m comment "new"
192.0.2.3 timeout 10m comment "twice"
192.0.2.4 timeout 10m'
	is "$1: maps of them" "$(elements nat4 | grep -c .)" 1
	is "$1: no operations" "$(echo commit | commit "$1")" unchanged
}

test_refusals() # RENEWAL
{
	declare_table
	echo "present nat4 nat4 80/192.0.2.80/8080 0" | commit "$1" >/dev/null
	before=$(nft list ruleset; generation)
	is "$1: other data for a map's key" "$(commit "$1" <<-END
		present v4 v4 192.0.2.1 0
		present nat4 nat4 79/192.0.2.1/80 0
		present nat4 nat4 80/192.0.2.1/80 0
	END
	)" "set nat4: add tcp . 80 : 192.0.2.1 . 80: File exists"
	is "$1: no such set" "$(commit "$1" <<-END
		present v4 v4 192.0.2.1 0
		renew nosuch v4 192.0.2.2 0
		renew nosuch v4 192.0.2.3 0
	END
	)" "set nosuch: No such file or directory"
	is "$1: a timeout in a set that has none" "$(commit "$1" <<-END
		present v4 v4 192.0.2.1 0
		present plain v4 192.0.2.2 0
		present plain v4 192.0.2.3 1000
	END
	)" "set plain: add 192.0.2.3 timeout 1000ms: Invalid argument"
	is "$1: the last of 10,000" \
		"$({ many present 600000 9999; echo "present plain v4 192.0.2.3 1000"; } | commit "$1")" \
		"set plain: add 192.0.2.3 timeout 1000ms: Invalid argument"
	is "$1: every one of 40,000, more than there is room for errors" \
		"$(many absent 0 40000 | sed 's/many6/nosuch/' | commit "$1")" \
		"set nosuch: No such file or directory"
	is "$1: a set of another kind" "$(echo "present v4 v6 2001:db8::1 0" | commit "$1")" \
		"set v4: add 2001:db8::1: Invalid argument"
	is "$1: a set of no kind of ours" "$(echo "present v4 ports 1.2.3.4 0" | commit "$1")" \
		"set v4: not a set of addresses or interfaces, or a map of ours"
	is "$1: too long a comment" \
		"$(echo "present v4 v4 192.0.2.1 0 $(many x 0 1 | sed 's/.* //')x" | commit "$1")" \
		"set v4: a comment of 129 bytes, not up to 128"
	is "$1: nothing of all that happened" "$(nft list ruleset; generation)" "$before"
	is "$1: other data, the right way" "$(commit "$1" <<-END
		absent nat4 nat4 80/192.0.2.80/8080 0
		present nat4 nat4 80/192.0.2.1/80 0
	END
	)" committed
	is "$1: which is there" "$(elements nat4)" \
		"tcp . 80 counter packets 0 bytes 0 : 192.0.2.1 . 80"
}

test_many() # RENEWAL
{
	declare_table
	for step in present/600000 renew/3600000 renew/0 absent/0; do
		before=$(generation)
		is "$1: 10,000 at once: $step" \
			"$(many "${step%/*}" "${step#*/}" 10000 | commit "$1")" committed
		is "$1: one transaction" "$(($(generation) - before))" 1
		case $step in
		*/600000) is "$1: all there" "$(count many6 'timeout 10m.*comment "x*"')" 10000 ;;
		*/3600000) is "$1: all renewed" "$(count many6 'timeout 1h.*comment "x*"')" 10000 ;;
		renew/0) is "$1: all for good" \
			"$(count many6 2001:) $(count many6 timeout)" "10000 1" ;; # flags timeout
		*) is "$1: all gone" "$(count many6 2001:)" 0 ;;
		esac
	done
}

# Old kernels may miss a packet when they replace an element: one in a thousand is forgiven there.
test_fire() # RENEWAL COUNT
{
	declare_table
	is "$1: $2 renewals under fire" "$("$probe" fire "$1" "$2" 198.51.100.2)" "$2 renewals"
	nft list chain inet dockside discard |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p' | tr '\n' ' ' >$t/packets
	read -r hit missed <$t/packets
	echo "# $hit packets found the element, $missed did not"
	[ "$renewal" = in-place ] || missed=$((missed * 1000 / (hit + 1)))
	is "$1: packets were sent" "$([ "$hit" -gt 100 ] && echo yes)" yes
	is "$1: no packet missed it" "$missed" 0
}

fire=10000
[ "$renewal" = in-place ] || fire=2000
for way in in-place replace; do
	if [ "$way" = in-place ] && [ "$renewal" != in-place ]; then
		n=$((n + 1))
		echo "ok $n - renewal in place # SKIP this kernel does not"
		continue
	fi
	test_elements "$way"
	test_refusals "$way"
	test_many "$way"
	test_fire "$way" "$fire"
done

# ---- events --------------------------------------------------------------------------------------

declare_table
is "own transactions are told from others, those without effect make no event" \
	"$("$probe" own "$renewal" <<-END
	present v4 v4 192.0.2.1 600000
	commit
	present v4 v4 192.0.2.1 600000
	commit
	renew v4 v4 192.0.2.1 600000
	present nat4 nat4 80/192.0.2.1/80 0
	commit
	commit
END
)" "1 own, 0 foreign, 0 wrong
0 own, 1 foreign, 0 wrong
1 own, 0 foreign, 0 wrong
0 own, 0 foreign, 0 wrong"

: >$t/events
"$probe" events >>$t/events &
events_pid=$!
heard=1 # "ready"

# Waits for one more line of the events and prints it.
next_event()
{
	for _ in $(seq 300); do
		[ "$(wc -l <$t/events)" -ge "$heard" ] && break
		sleep 0.1
	done
	sed -n "${heard}p" $t/events
}

# event DESCRIPTION WANTED NFT-COMMAND
event()
{
	heard=$((heard + 1))
	nft "$3" || echo "# that was: nft $3"
	is "$1" "$(next_event)" "$2"
}

is "listening" "$(next_event)" ready
event "an element" "nft | dockside set v4 added-to" \
	"add element inet dockside v4 { 192.0.2.7 }"
event "an element that goes" "nft | dockside set v4 removed-from" \
	"delete element inet dockside v4 { 192.0.2.7 }"
event "a set emptied" "nft | dockside set v4 removed-from" "flush set inet dockside v4"
event "a rule" "nft | dockside chain discard added-to" "add rule inet dockside discard accept"
event "a chain emptied" "nft | dockside chain discard removed-from" \
	"flush chain inet dockside discard"
event "a chain declared" "nft | dockside chain new declared" "add chain inet dockside new"
event "a chain deleted" "nft | dockside chain new deleted" "delete chain inet dockside new"
event "a base chain's policy" "nft | dockside chain out declared" \
	"add chain inet dockside out { policy drop; }"
event "a set declared" "nft | dockside set new declared" \
	"add set inet dockside new { type ipv4_addr; }"
event "a set deleted" "nft | dockside set new deleted" "delete set inet dockside new"
event "an object" "nft | dockside other c declared" "add counter inet dockside c"
event "a table put to sleep" "nft | dockside declared" \
	"add table inet dockside { flags dormant; }"
event "several things at once" \
	"nft | dockside chain out removed-from | dockside set v6 added-to" \
	"flush chain inet dockside out; add element inet dockside v6 { ::1 }"
event "a table of that name in another family" nft "add table ip dockside"
event "something in it" nft "add chain ip dockside out"
event "somebody else's table" nft "add table inet other; add chain inet other out"
event "ip filter, and a chain of Docker's" \
	"nft | filter4 declared | filter4 chain DOCKER-USER declared" \
	"add table ip filter; add chain ip filter DOCKER-USER; add chain ip filter X"
event "a rule there" "nft | filter4 chain DOCKER-USER added-to" \
	"add rule ip filter X drop; add rule ip filter DOCKER-USER drop"
event "a rule in another chain there" nft "add rule ip filter X drop"
event "the dispatch chain of IPv6" \
	"nft | filter6 declared | filter6 chain DOCKSIDE-DISPATCH declared" \
	"add table ip6 filter; add chain ip6 filter DOCKSIDE-DISPATCH"
heard=$((heard + 1))
echo "present v4 v4 192.0.2.1 600000" | commit replace >/dev/null
is "who it was" "$(next_event)" "sets_probe | dockside set v4 added-to removed-from"
heard=$((heard + 1))
nft flush ruleset
next_event >$t/flushed
for word in "dockside deleted" "filter4 deleted" "filter6 deleted" "chain out deleted" \
	"chain DOCKER-USER deleted removed-from" "set many6 deleted" "other c deleted"; do
	is "the ruleset flushed: $word" "$(grep -c " $word" $t/flushed)" 1
done
heard=$((heard + 1))
declare_table
is "the table declared" "$(next_event | grep -c "dockside declared.*chain discard declared added-to")" 1
heard=$((heard + 1))
nft delete table inet dockside
is "the table deleted" "$(next_event | grep -c "^nft | dockside deleted .*set many deleted")" 1
heard=$((heard + 1))
{
	echo "table inet dockside {"
	seq 1 100 | sed 's/.*/ chain c& { accept; }/'
	echo "}"
} >$t/chains
nft -f $t/chains
is "100 chains: a summary, and it says so" \
	"$(next_event | tr '|' '\n' | sed '/ c[0-9]* /d' | tr '\n' ' ')" "nft   dockside declared   and more "
is "of 64 names" "$(next_event | tr '|' '\n' | grep -c ' c[0-9]* declared added-to')" 64
is "nothing was lost" "$(grep -c lost $t/events)" 0
kill $events_pid
events_pid=

declare_table
is "10,000 elements in one transaction are no storm" "$("$probe" storm 33554432 1)" \
	"1 transactions
1 transactions"
is "a storm that fits no queue is noticed, and that it is over" "$("$probe" storm 65536 3)" \
	"0 transactions, lost
1 transactions"

echo "1..$n"
exit "$failed"
