#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `metrics` of a running daemon: what packets, DNS, reloads and repairs make of it, against what the
# kernel says itself; the whole of it given to promtool where that is installed ($PROMTOOL, or
# promtool of the Debian package prometheus, which is too large to be asked for). TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

export IPSET_REFRESH_INTERVAL=5
promtool=${PROMTOOL:-promtool}

build_network()
{
	outside 198.51.100.{1..3}/32 2001:db8:51::1/128 && bridge ds-1 172.30.1.1/24 fd77:1::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80 443"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-2", "subnet": "172.30.2.0/24"}
]}
CONFIG
# use COMMENT
use()
{
	cat >$t/new <<CONFIG
{"ipsets": {"web": ["good.example", "bad.example", "203.0.113.0/24"]}, "networks": {"ds-1": {"egress": [
	{"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "web", "comment": "$1"},
	{"proto": "tcp", "ports": [443], "to": "ip", "ip": "2001:db8:51::1"},
	{"action": "drop"}],
	"nat": [{"match_dport": 3306, "to_host": "good.example", "to_port": 80}]}}}
CONFIG
	mv $t/new $t/firewall.json
}
start_zone
zone "good.example 198.51.100.1" "bad.example fail"
use 'a \\ and a '"'"
start_listening
start_daemon

# value SERIES: of the last metrics
value()
{
	awk -v name="dsfw_nft_$1" 'substr($0, 1, length(name) + 1) == name " " { print substr($0, length(name) + 2) }' $t/out
}

lint()
{
	result "promtool: $1" "$("$promtool" check metrics <$t/out 2>&1)"
}
command -v "$promtool" >/dev/null || lint()
{
	n=$((n + 1))
	echo "ok $n - promtool: $1 # SKIP no promtool"
}

client metrics
is "metrics" "$status $err" "0 "
lint "at the start"
is "ready" "$(value ready)" 1
is "networks" "$(value 'networks{state="enforced"}') $(value 'networks{state="unmanaged"}')" "1 1"
is "loads" "$(value 'reloads_total{result="ok"}') $(value 'reloads_total{result="error"}')" "1 0"
is "no repairs" "$(value repairs_total) $(value drift) $(value last_repair_timestamp_seconds)" "0 0 "
is "the start" "$(awk -v at="$(value start_time_seconds)" -v now="$(date +%s)" \
	'BEGIN { print (now - 60 < at && at < now + 2) }')" 1
is "a name that answers" "$(value 'dns_answer_age_seconds{name="good.example",family="ipv4"}' |
	grep -cE '^[0-9]\.[0-9]{3}$')" 1
is "its addresses" "$(value 'dns_addresses{name="good.example"}') $(value \
	'set_elements{set="ipset-web-v4",entry="ipset web",family="ipv4"}')" "1 1"
like "its answers" "$(value 'dns_answers_total{name="good.example",family="ipv4"}')" '^[1-9]$'
like "a name that fails" "$(value 'dns_failures_total{name="bad.example",family="ipv6"}') $(value \
	'dns_answer_age_seconds{name="bad.example",family="ipv6"}')" '^[1-9] NaN$'
is "no DOCKER-USER" "$(value 'shim_state{table="ip filter",state="no DOCKER-USER"}') $(value \
	'shim_state{table="ip filter",state="installed"}')" "1 0"
is "no Docker" "$(value 'docker_state{state="absent"}') $(value 'docker_state{state="connected"}')" "1 0"
# files_state: those that have a 1
files_state()
{
	sed -nE 's/^dsfw_nft_files_state\{state="(.*)"\} 1$/\1/p' $t/out
}
is "the files are what runs" "$(files_state)" current
like "the event loop" "$(value event_loop_busy_seconds_count) $(value event_loop_busy_seconds_sum)" \
	'^[1-9][0-9]* [0-9]+\.[0-9]{6}$'

# ---- packets -------------------------------------------------------------------------------------

probes "packets" <<-'END'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp [2001:db8:51::1]:443 = open outside
	c1 tcp 198.51.100.2:443 = reset
	c1 tcp 198.51.100.3:3306 = open outside 198.51.100.1:80
	c1 tcp 198.51.100.3:443 = reset
END
# counted COMMENT: "packets N bytes N" of all rules with that comment, by nft
counted()
{
	nft list chain inet dockside ds-1-OUT | grep -F "comment \"$1\"" |
		sed -E 's/.*counter packets ([0-9]+) bytes ([0-9]+).*/\1 \2/' |
		awk '{ p += $1; b += $2 } END { print p, b }'
}
rule='{network="ds-1",chain="OUT"'
client metrics
lint "with packets"
allowed="$rule,rule=\"egress[0]\",verdict=\"passed\",comment=\"a \\\\\\\\ and a '\"}"
is "of a rule that is several in the kernel" \
	"$(value "rule_packets_total$allowed") $(value "rule_bytes_total$allowed")" "$(counted "a \\ and a '")"
is "which has let two through" "$(value "rule_packets_total$allowed")" 2
is "one of them redirected" "$(value "rule_packets_total"'{network="ds-1",chain="NAT",rule="nat[0]",verdict="redirected",comment="good.example: nat[0]"}')" 1
refused="$rule,rule=\"egress[2]\",verdict=\"refused\",comment=\"egress[2]\"}"
is "of one that refuses" \
	"$(value "rule_packets_total$refused") $(value "rule_bytes_total$refused")" "$(counted 'egress[2]')"
is "two" "$(value "rule_packets_total$refused")" 2
# verdicts PATTERN: packets of all such rules of the network, by nft
verdicts()
{
	nft list table inet dockside | sed -n '/chain ds-1-/,/}/p' | grep -E "$1" |
		sed -nE 's/.*counter packets ([0-9]+) .*/\1/p' |
		awk '{ n += $1 } END { print n }'
}
passed=$(value 'network_packets_total{network="ds-1",verdict="passed"}')
is "of the network" "$passed $(value 'network_packets_total{network="ds-1",verdict="refused"}')" \
	"$(verdicts ' accept') $(verdicts ' (drop|reject|goto refuse)')"
is "in bytes" "$(value 'network_bytes_total{network="ds-1",verdict="refused"}')" \
	"$(value "rule_bytes_total$refused")"
client status --json
like "and status says the same" "$out" '"passed":'"$passed"',"refused":2,'

use other
client reload
client metrics
other="$rule,rule=\"egress[0]\",verdict=\"passed\",comment=\"other\"}"
is "a chain that has changed begins at zero" "$(value "rule_packets_total$allowed")$(value "rule_packets_total$other") $(value "rule_packets_total$refused")" "0 0"

# ---- troubles ------------------------------------------------------------------------------------

echo '{' >$t/firewall.json
client reload
client metrics
is "a reload that failed" "$(value 'reloads_total{result="ok"}') $(value 'reloads_total{result="error"}') $(value \
	last_reload_successful)" "2 1 0"
is "as the files have errors" "$(files_state)" faulty
use another
client metrics
is "files that wait for a reload" "$(files_state)" edited
use other
nft flush ruleset
until_true 5 logged 'put back'
# shellcheck disable=SC2317
repaired()
{
	client metrics
	[[ $(value repairs_total) == 1 ]]
}
result "a repair" "$(until_true 5 repaired || cat $t/out)"
like "its time" "$(value last_repair_timestamp_seconds) $(value drift)" '^[0-9]{10}\.[0-9]{3} 0$'
lint "after a repair"

# ---- where it goes -------------------------------------------------------------------------------

echo old >$t/dsfw.prom
chmod 640 $t/dsfw.prom
inode=$(stat -c %i $t/dsfw.prom)
client metrics -o $t/dsfw.prom
is "a file" "$status $(grep -c '^dsfw_nft_ready 1$' $t/dsfw.prom) $(stat -c %a $t/dsfw.prom)" "0 1 640"
is "is replaced, not written over" "$([[ $(stat -c %i $t/dsfw.prom) != "$inode" ]] && echo yes)" yes
is "and nothing is left beside it" "$(echo $t/dsfw.prom*)" "$t/dsfw.prom"
chmod 666 $socket
chmod 755 $t
python3 - $socket >$t/out 2>&1 <<'PYTHON'
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"action": "metrics"}\n')
line, text = s.makefile().read().split("\n", 1)
print(line.replace(str(len(text)), "RIGHT"), text.split()[1])
PYTHON
is "it is for whoever may connect: a line, and the text" "$(<$t/out)" \
	'{"status":"ok","length":RIGHT} HELP'
end_daemon TERM
echo old >$t/dsfw.prom
client metrics -o $t/dsfw.prom
is "without a daemon the file stays" "$status $(<$t/dsfw.prom)" "1 old"
like "and the reason is told" "$err" "^error: metrics: no daemon answers at $socket"

# ---- who answers is no daemon, or dies while it does ------------------------------------------------

for text in '{"status":"ok"}\n' '{"status":"ok","length":8}\ntext\n'; do
	rm -f $t/other
	python3 - $t/other "$text" <<-'PYTHON' &
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1] + ".new")
		s.listen()
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		c = s.accept()[0]
		c.recv(4096)
		c.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
		c.close()
	PYTHON
	until_true 5 test -S $t/other
	timeout 30 "$DSFW_NFT" metrics --socket $t/other -o $t/dsfw.prom >$t/out 2>&1
	echo "$? $(<$t/dsfw.prom) $(<$t/out)"
	wait $!
done >$t/answers
is "half an answer is none" "$(<$t/answers)" "1 old error: metrics: what answers at the socket is no dsfw-nft daemon that can tell
1 old error: metrics: the daemon hung up in the middle of its answer"
stop_peers
finish
