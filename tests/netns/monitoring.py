# SPDX-License-Identifier: GPL-2.0-or-later
#
# Asks a real Prometheus what the dashboard and the alert rules ask it. Prints faults, a line each.
#
# usage: monitoring.py queries DASHBOARD URL     every query of the dashboard has a result, but for those of EMPTY
#        monitoring.py variables DASHBOARD URL   and so has every variable
#        monitoring.py rules URL                 each alert rule is evaluated without an error
#        monitoring.py pending URL NAME…         these alerts come, and no others
#        monitoring.py names FILE METRICS        each metric that a file names is one of those, but for those of ABSENT
import json
import re
import sys
import time
import urllib.parse
import urllib.request

import calm

# Queries without a result, and why.
EMPTY = {
    "Containers with NET_RAW": "absent while Docker has not told, and here is no Docker",
}
# Metrics that a daemon without Docker does not have.
ABSENT = {"dsfw_nft_net_raw_containers"}
# Grafana puts these in the place of its variables
VARIABLES = {"$__rate_interval": "4s", "$instance": ".*", "$network": ".*"}
TIMEOUT = 30


def get(url, path, **arguments):
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(arguments, doseq=True)}", timeout=20) as f:
        return json.load(f)["data"]


def query(url, expr):
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    try:
        return get(url, "query", query=expr)["result"]
    except urllib.error.HTTPError as e:
        return f"{e.code}: {e.read().decode()}"


def targets(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def result_fault(url, title, expr):
    result = query(url, expr)
    if isinstance(result, str):
        return f"{title}: {expr}: {result}"
    if title in EMPTY:
        return f"{title}: has a result, and so needs no excuse" if result else None
    if not result:
        return f"{title}: {expr}: no result"
    if all(sample["value"][1] == "NaN" for sample in result):
        return f"{title}: {expr}: nothing but NaN"
    return None


# Rates need several scrapes, and so the results come one after the other.
def queries(path, url):
    left = list(targets(json.load(open(path, encoding="utf-8"))))
    n = len(left)
    if n < 20:
        print(f"the dashboard has {n} queries")
    over = calm.limit(TIMEOUT)
    while True:
        faults = [(fault, t) for t in left if (fault := result_fault(url, *t))]
        left = [t for _, t in faults]
        if not left or over():
            break
        time.sleep(0.2)
    for fault, _ in faults:
        print(fault)
    print(f"{n} queries, {len(EMPTY)} of them legitimately empty: {EMPTY}", file=sys.stderr)


def variables(path, url):
    for variable in json.load(open(path, encoding="utf-8"))["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        for name, value in VARIABLES.items():
            series = series.replace(name, value)
        if not get(url, f"label/{label}/values", **{"match[]": series}):
            print(f"{variable['name']}: no values")


def all_rules(url):
    return [rule for group in get(url, "rules")["groups"] for rule in group["rules"]]


def rules(url):
    over = calm.limit(TIMEOUT)
    while any(rule["health"] == "unknown" for rule in all_rules(url)) and not over():
        time.sleep(0.2)
    found = all_rules(url)
    if len(found) < 10:
        print(f"{len(found)} rules")
    for rule in found:
        if rule["health"] != "ok":
            print(f"{rule['name']}: {rule['health']}: {rule.get('lastError')}")


def pending(url, *wanted):
    wanted = set(wanted)
    over = calm.limit(TIMEOUT)
    while True:
        alerts = get(url, "alerts")["alerts"]
        got = {alert["labels"]["alertname"] for alert in alerts}
        if got == wanted or over():
            break
        time.sleep(0.2)
    for name in sorted(wanted - got):
        print(f"{name} does not come")
    for name in sorted(got - wanted):
        print(f"{name} comes")
    for alert in alerts:
        for key, text in alert["annotations"].items():
            if "error expanding" in text or "<no value>" in text or "{{" in text:
                print(f"{alert['labels']['alertname']}: {key}: {text}")


def names(path, metrics):
    have = {re.match(r"\w+", line)[0] for line in open(metrics, encoding="utf-8") if line[0] != "#"}
    found = set(re.findall(r"dsfw_nft_\w+", open(path, encoding="utf-8").read()))
    if len(found) < 10:
        print(f"{path} names {len(found)} metrics")
    for name in sorted(found - have - ABSENT):
        print(f"{path}: there is no {name}")
    for name in sorted(ABSENT & have):
        print(f"{name} is there")


{"queries": queries, "variables": variables, "rules": rules, "pending": pending, "names": names}[sys.argv[1]](*sys.argv[2:])
