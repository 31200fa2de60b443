#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The dashboard and the alert rules of contrib/: promtool's judgement, and what a real Prometheus that scrapes a real daemon makes
# of each query and rule. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

if ! command -v prometheus promtool >/dev/null; then
	echo "1..0 # SKIP no prometheus: scripts/install-packages check"
	exit 0
fi
top=$(realpath "$here/../..")
dashboard=$top/contrib/grafana/dsfw-nft.json
alerts=$top/contrib/prometheus/dsfw-nft-alerts.yml
prometheus=http://127.0.0.1:9090

# monitoring WHAT…: the faults that monitoring.py finds, or its own; what it says besides is in $t/err
monitoring()
{
	timeout 100 python3 "$here/monitoring.py" "$@" 2>$t/err || echo "exit status $?: $(<$t/err)"
}

promtool check rules "$alerts" >$t/out 2>&1
is "promtool check rules" "$? $(grep -c 'SUCCESS: 15 rules found' $t/out)" "0 1"
result "promtool test rules: each alert has a case in which it comes" "$(grep -oE 'alert: \w+' "$alerts" | sort -u |
	while read -r _ name; do
		grep -q "name: $name\$" "$top/tests/monitoring/alerts_test.yml" || echo "$name has none"
	done)"
result "and comes in it, and not otherwise" \
	"$(promtool test rules "$top/tests/monitoring/alerts_test.yml" >$t/out 2>&1 || cat $t/out)"

# Rules for files: with the expression that the document has for DsfwNftDown
expression=$(sed -n 's/^    expr: //p' "$top/doc/metrics.md")
awk -v expression="$expression" '/alert: / { down = /DsfwNftDown$/ }
	down && /expr:/ { sub(/expr: .*/, "expr: " expression) } { print }' "$alerts" >$t/file_alerts.yml
cat >$t/file_alerts_test.yml <<'CONFIG'
rule_files: [file_alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: up{job="node", instance="a"}
        values: 1x60
      - series: node_textfile_mtime_seconds{instance="a", file="/var/lib/prometheus/node-exporter/dsfw-nft.prom"}
        values: 0+60x20 1200x40
      - series: node_textfile_mtime_seconds{instance="b", file="dsfw-nft.prom"}
        values: 0+60x60
      - series: node_textfile_mtime_seconds{instance="a", file="apt.prom"}
        values: 0x60
    promql_expr_test:
      - expr: count(ALERTS) or vector(0)
        eval_time: 20m
        exp_samples: [{labels: "{}", value: 0}]
      - expr: ALERTS{alertname="DsfwNftDown"}
        eval_time: 40m
        exp_samples:
          - labels: 'ALERTS{alertname="DsfwNftDown", alertstate="firing", severity="critical", instance="a",
              file="/var/lib/prometheus/node-exporter/dsfw-nft.prom"}'
            value: 1
CONFIG
result "DsfwNftDown for files, as doc/metrics.md has it: comes when the file is old, and only then" \
	"$(promtool test rules $t/file_alerts_test.yml >$t/out 2>&1 || cat $t/out)"

# ---- a daemon at work ----------------------------------------------------------------------------

build_network()
{
	outside 198.51.100.{1..3}/32 && bridge ds-1 172.30.1.1/24 fd77:1::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80 443"
network_config <<'CONFIG'
{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"}]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {"ds-1": {"egress": [
	{"proto": "tcp", "ports": [80], "to": "host", "host": "good.example", "comment": "web"},
	{"proto": "tcp", "ports": [80], "to": "host", "host": "bad.example"},
	{"action": "drop"}]}}}
CONFIG
start_zone
zone "good.example 198.51.100.1" "bad.example fail"
start_listening
files+=(--metrics-listen 127.0.0.1:9853)
start_daemon
python3 "$here/scrapers.py" 127.0.0.1 9853 metrics >$t/metrics
result "promtool check metrics: what the port answers" "$(promtool check metrics <$t/metrics 2>&1)"
for file in "$dashboard" "$alerts"; do
	result "${file##*/} names metrics that exist" "$(monitoring names "$file" $t/metrics)"
done

traffic()
{
	while [[ ! -e $t/quiet ]]; do
		ask "c1 tcp 198.51.100.1:80 = open outside" "c1 tcp 198.51.100.2:443 = reset" go
		sleep 0.2
	done
}
traffic >$t/traffic 2>&1 &

cat >$t/prometheus.yml <<CONFIG
global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
  evaluation_interval: 500ms
rule_files: [$alerts]
scrape_configs:
  - job_name: dsfw-nft
    static_configs:
      - targets: ["127.0.0.1:9853"]
CONFIG
result "promtool check config" "$(promtool check config $t/prometheus.yml >$t/out 2>&1 || cat $t/out)"
prometheus --config.file=$t/prometheus.yml --storage.tsdb.path=$t/tsdb --web.listen-address=127.0.0.1:9090 \
	--log.level=warn >$t/prometheus.log 2>&1 &
# shellcheck disable=SC2317
is_up()
{
	python3 -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/-/ready", timeout=5)' "$prometheus" 2>/dev/null
}
until_true 30 is_up || bail "no Prometheus: $(tail $t/prometheus.log)"
result "each query of the dashboard has a result" "$(monitoring queries "$dashboard" $prometheus)"
comment <$t/err
result "so has each variable" "$(monitoring variables "$dashboard" $prometheus)"
result "each alert rule can be evaluated" "$(monitoring rules $prometheus)"

# ---- what goes wrong is an alert -----------------------------------------------------------------

pending() # DESCRIPTION NAME…
{
	result "$1" "$(monitoring pending $prometheus "${@:2}")"
}

# Here has never been a Docker, which is no alert, but nobody knows whose ports there are.
always=(DsfwNftUnknownPorts DsfwNftNameWithoutAddress)
pending "a container that nobody knows, a name without address" "${always[@]}"
echo "// edited" >>$t/firewall.json
pending "files that were edited" "${always[@]}" DsfwNftFilesNotReloaded
echo "}" >>$t/firewall.json
pending "files that have errors" "${always[@]}" DsfwNftFilesFaulty
client reload
pending "a reload that failed" "${always[@]}" DsfwNftFilesFaulty DsfwNftReloadFailed
touch $t/quiet
end_daemon KILL
pending "no daemon" DsfwNftDown
result "Prometheus had nothing to complain of" "$(grep -v 'level=info' $t/prometheus.log)"
finish
