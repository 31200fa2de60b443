/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets through plans that are compiled from texts, names with addresses that are given here. */
#include "policy_fixture.h"
#include <errno.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/explain_request.h"
#include "dockside/report/explain_json.h"
#include "dockside/table/compile.h"

#define MARK 0x10000000u

static const char network_text[] =
	"{\"networks\": [\n"
	"{\"name\": \"Amber\", \"subnet\": \"10.1.0.0/24\", \"subnet6\": \"fd01::/64\",\n"
	" \"dockside_ip\": \"10.1.0.2\", \"dockside_mac\": \"02:00:00:00:00:02\"},\n"
	"{\"name\": \"beryl\", \"subnet\": \"10.2.0.0/24\", \"dockside_ip\": \"10.2.0.2\",\n"
	" \"dockside_egress\": \"policed\"},\n"
	"{\"name\": \"coral\", \"subnet\": \"10.3.0.0/24\"},\n"
	"{\"name\": \"delft\", \"subnet\": \"10.4.0.0/29\", \"dockside_ip\": \"10.4.0.2\"}]}";
static const char firewall_text[] =
	"{\"ipsets\": {\"web\": [\"a.example\", \"192.0.2.0/25\", \"198.51.100.7\"]},\n"
	"\"networks\": {\"Amber\": {\"egress\": [\n"
	"{\"action\": \"drop\", \"proto\": \"tcp\", \"ports\": [25, \"6000-6010\"]},\n"
	"{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": \"web\"},\n"
	"{\"proto\": \"icmp\"},\n"
	"{\"proto\": \"udp\", \"ports\": [53], \"to\": \"host\", \"host\": \"b.example\"},\n"
	"{\"proto\": \"tcp\", \"ports\": [3307], \"to\": \"cidr\", \"cidr\": \"203.0.113.0/24\"},\n"
	"{\"action\": \"drop\", \"comment\": \"the rest\"}],\n"
	"\"nat\": [{\"match_dport\": 3306, \"to_ip\": \"203.0.113.5\", \"to_port\": 3307},\n"
	"{\"match_dport\": 3308, \"to_host\": \"no.example\", \"to_port\": 3307},\n"
	"{\"match_dport\": 8080, \"to_ip\": \"10.1.0.1\", \"to_port\": 22},\n"
	"{\"match_dport\": 8081, \"to_ip\": \"10.1.0.9\", \"to_port\": 80}],\n"
	"\"host\": [{\"proto\": \"tcp\", \"ports\": [22]}, {\"action\": \"drop\"}]},\n"
	"\"beryl\": {\"egress\": [{\"action\": \"drop\", \"proto\": \"udp\"}]},\n"
	"\"delft\": {\"mode\": \"audit\", \"egress\": [{\"action\": \"drop\"}],\n"
	"\"nat\": [{\"match_dport\": 80, \"to_ip\": \"127.0.0.1\", \"to_port\": 8080}]}}}";

struct fixture {
	struct policy policy;
	struct resolved resolved;
	struct plan plan;
	struct explain_ports bind; /* nobody was asked, unless a test says so */
};

static void give(struct fixture *f, const char *name, const char *text)
{
	struct answer answer = { .name = name, .state = RESOLVED_DNS, .n_addrs = 1 };
	struct ipaddr addr;

	assert_true(ipaddr_parse(text, strlen(text), &addr));
	answer.addrs = &addr;
	answer.family = addr.family;
	resolved_answer(resolved_find(&f->resolved, name), &answer);
}

static int set_up(void **state)
{
	static const struct plan_options options = { .mark_bit = MARK };
	struct fixture *f = xcalloc(1, sizeof(*f));

	policy_read(&f->policy, network_text, firewall_text);
	resolved_collect(&f->policy, &f->resolved);
	give(f, "a.example", "198.51.100.7");
	give(f, "a.example", "2001:db8::7");
	give(f, "b.example", "198.51.100.53");
	compile_policy(&f->policy, &f->resolved, &options, &f->plan);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	plan_free(&f->plan);
	resolved_free(&f->resolved);
	policy_free(&f->policy);
	free(f);
	return 0;
}

/* The members of a request, in short: FROM TO PROTOCOL and more as JSON. */
static int ask(struct fixture *f, const char *members, char **ret_answer)
{
	struct explain_world world = { .policy = &f->policy, .plan = &f->plan, .bind = f->bind };
	struct explain_question question;
	struct request request = { 0 };
	struct diags diags = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	int r;

	request.src.name = xstrdup("request");
	request.src.text = xasprintf("{\"action\": \"explain\", %s}", members);
	request.src.len = strlen(request.src.text);
	assert_true(request_parse(&request, 0, &diags));
	r = explain_request_read(&request, &question, &err);
	if (r >= 0)
		r = explain_answer(&question, &world, &b, &err);
	*ret_answer = r < 0 ? xstrdup(err.text) : buf_steal(&b);
	request_free(&request);
	diags_free(&diags);
	err_free(&err);
	return r;
}

#define FROM(network, to, protocol) \
	"\"from\": \"" network "\", \"to\": \"" to "\", \"protocol\": \"" protocol "\""
#define PORT(port) ", \"port\": " #port
#define SRC(source) ", \"source\": \"" source "\""
#define MAC(mac) ", \"mac\": \"" mac "\""
#define TYPE(type) ", \"type\": \"" type "\""
#define DOCKSIDE SRC("10.1.0.2") MAC("02:00:00:00:00:02")

/* The answer has all of these texts, up to a NULL. */
static void assert_answer(void **state, const char *members, ...)
{
	char *answer;
	const char *text;
	va_list ap;

	if (ask(*state, members, &answer) < 0)
		fail_msg("%s: %s", members, answer);
	va_start(ap, members);
	while ((text = va_arg(ap, const char *)))
		if (!strstr(answer, text))
			fail_msg("%s: no %s in %s", members, text, answer);
	va_end(ap);
	free(answer);
}

/* There is nothing to translate in what begins no connection. */
static void assert_not_translated(void **state, const char *members)
{
	char *answer;

	assert_int_equal(ask(*state, members, &answer), 0);
	assert_null(strstr(answer, "\"chain\":\"prerouting\""));
	free(answer);
}

static void assert_refused(void **state, const char *members, int code, const char *text)
{
	char *answer;
	int r = ask(*state, members, &answer);

	if (r != code || !strstr(answer, text))
		fail_msg("%s: %d, %s", members, r, answer);
	free(answer);
}

#define PASS "\"verdict\":\"pass\""
#define DROP "\"verdict\":\"drop\""
#define RESET "\"verdict\":\"reset\""

static void test_egress(void **state)
{
	assert_answer(state, FROM("Amber", "192.0.2.127", "tcp") PORT(443), PASS,
		      "\"entry\":\"egress[1]\",\"file\":\"firewall.json\",\"line\":4,\"column\":1",
		      "\"set\":\"ipset-web-net4\",\"of\":\"ipset web\","
		      "\"element\":\"192.0.2.0/25\"",
		      "\"source\":\"10.1.0.3\"", "\"mark\":268435456", "Docker's own rules decide",
		      NULL);
	assert_answer(state, FROM("Amber", "192.0.2.128", "tcp") PORT(443), RESET,
		      "\"chain\":\"refuse\"", "\"comment\":\"the rest\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.1", "udp") PORT(443), DROP, NULL);
	assert_answer(state, FROM("Amber", "198.51.100.53", "udp") PORT(53), PASS,
		      "\"comment\":\"b.example\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.1", "47"), DROP, "\"protocol\":\"47\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.1", "tcp") PORT(6010), RESET,
		      "\"entry\":\"egress[0]\"", "\"element\":\"6000-6010\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.1", "tcp") PORT(6011), RESET,
		      "\"entry\":\"egress[5]\"", NULL);
	assert_answer(state, FROM("beryl", "192.0.2.1", "tcp") PORT(1), PASS,
		      "no rule matched: Docker decides", NULL);
	assert_answer(state, FROM("coral", "192.0.2.1", "tcp") PORT(1), PASS, "\"managed\":false",
		      "not managed", NULL);
}

static void test_names(void **state)
{
	/* One is a literal too, and has no name for its comment. */
	assert_answer(state, FROM("Amber", "A.example", "tcp") PORT(443), PASS,
		      "\"destination\":\"198.51.100.7\"", "\"destination\":\"2001:db8::7\"",
		      "\"comment\":\"a.example\"", "\"source\":\"fd01::2\"", NULL);
	assert_answer(state, FROM("beryl", "a.example", "tcp") PORT(443),
		      "\"destination\":\"198.51.100.7\"", "\"notes\":[\"2001:db8::7: a container",
		      NULL);
	assert_refused(state, FROM("Amber", "other.example", "tcp") PORT(443), -ENOENT,
		       "other.example: no rule has an address");
	assert_refused(state, FROM("Amber", "no.example", "tcp") PORT(443), -ENOENT, "no.example");
}

static void test_between_containers(void **state)
{
	assert_answer(state, FROM("Amber", "10.1.0.3", "tcp") PORT(80), DROP,
		      "\"source\":\"10.1.0.4\"", "\"chain\":\"amber-ING\"",
		      "\"to\":\"same network\"", "bridge-nf", NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "tcp") PORT(80), DROP,
		      "\"chain\":\"amber-ING\"", NULL);
	assert_answer(state, FROM("Amber", "10.1.0.9", "tcp") PORT(80) DOCKSIDE, PASS,
		      "\"dockside\":true", "dockside container", NULL);
	assert_answer(state, FROM("Amber", "10.1.0.9", "udp") PORT(80) DOCKSIDE, DROP, NULL);
	assert_answer(state, FROM("beryl", "10.2.0.9", "tcp") PORT(80) SRC("10.2.0.2"), PASS,
		      "\"dockside\":true", NULL);
	/* Another network is elsewhere. */
	assert_answer(state, FROM("beryl", "10.1.0.9", "tcp") PORT(80), PASS,
		      "\"to\":\"elsewhere\"", NULL);
}

static void test_dockside(void **state)
{
	assert_answer(state, FROM("Amber", "192.0.2.200", "udp") PORT(9) DOCKSIDE, PASS, NULL);
	assert_answer(state, FROM("Amber", "192.0.2.200", "udp") PORT(9) SRC("10.1.0.2"), DROP,
		      "\"dockside\":false", "without dockside_mac (--mac 02:00:00:00:00:02)", NULL);
	assert_answer(state,
		      FROM("Amber", "192.0.2.200", "udp") PORT(9) SRC("10.1.0.3")
			      MAC("02:00:00:00:00:02"),
		      DROP, "is not the dockside container's address", NULL);
	/* Its address goes with its MAC address. */
	assert_answer(state, FROM("Amber", "192.0.2.200", "udp") PORT(9) MAC("02:00:00:00:00:02"),
		      PASS, "\"source\":\"10.1.0.2\"", NULL);
	assert_answer(state, FROM("beryl", "192.0.2.200", "udp") PORT(9) SRC("10.2.0.2"), DROP,
		      "\"dockside\":true", NULL);
}

static void test_nat(void **state)
{
	assert_answer(state, FROM("Amber", "192.0.2.200", "tcp") PORT(3306), PASS,
		      "\"entry\":\"nat[0]\",\"file\":\"firewall.json\"",
		      "\"destination\":\"203.0.113.5\",\"port\":3307", "\"entry\":\"egress[4]\"",
		      NULL);
	/* A name without an address translates nothing. */
	assert_answer(state, FROM("Amber", "203.0.113.5", "tcp") PORT(3308), RESET, NULL);
	/* UDP, and IPv6, have no such rule. */
	assert_answer(state, FROM("Amber", "192.0.2.200", "udp") PORT(3306), DROP, NULL);
	assert_answer(state, FROM("Amber", "2001:db8::9", "tcp") PORT(3306), RESET, NULL);
	/* The route follows from the translation. */
	assert_answer(state, FROM("Amber", "192.0.2.200", "tcp") PORT(8080), PASS,
		      "\"hook\":\"input\"", "\"to\":\"host\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.200", "tcp") PORT(8081), DROP,
		      "\"chain\":\"amber-ING\"", NULL);
	/* Docker would have been asked first. */
	assert_answer(state, FROM("Amber", "10.1.0.1", "tcp") PORT(3306), PASS,
		      "\"destination\":\"203.0.113.5\"", "published port", NULL);
	assert_answer(state, FROM("delft", "192.0.2.1", "tcp") PORT(80) SRC("10.4.0.3"),
		      "\"destination\":\"127.0.0.1\"", "route_localnet", NULL);
}

static void test_audit(void **state)
{
	assert_answer(state, FROM("delft", "192.0.2.1", "tcp") PORT(81) SRC("10.4.0.3"), PASS,
		      "\"audit\":true", "audit, would refuse", "delft is in AUDIT mode", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.1", "udp") PORT(443), DROP, "\"audit\":false",
		      NULL);
}

/* Every member of a set that is not small, and what is beside it. */
static void test_large_set(void **state)
{
	struct plan plan = { 0 };
	struct plan_set *set = plan_add_set(&plan, SET_IPV4, "large", NULL);
	struct plan_chain *chain = plan_add_chain(&plan, "forward", NULL);
	struct explain_packet packet = { .iif = "amber", .l4proto = 47 };
	struct plan_rule *rule;
	struct explanation e;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct elem *elem = set_add_elem(set, NULL);

		elem->key[2] = elem->last[2] = (uint8_t)i;
		elem->key[3] = 100;
		elem->last[3] = (uint8_t)(100 + i % 3);
	}
	chain->hook = BASE_FORWARD;
	rule = chain_add_rule(chain, NULL);
	rule_add_match(rule, MATCH_DADDR_SET)->u.set = set;
	rule->verdict = VERDICT_DROP;
	plan_finish(&plan);
	for (unsigned i = 0; i < 201; i++) {
		for (unsigned k = 98; k < 105; k++) {
			bool in = i < 200 && k >= 100 && k <= 100 + i % 3;

			packet.dst.b[2] = (uint8_t)i;
			packet.dst.b[3] = (uint8_t)k;
			explain(&plan, &packet, NULL, 0, &e);
			assert_int_equal(e.verdict, in ? EXPLAIN_DROP : EXPLAIN_PASS);
		}
	}
	plan_free(&plan);
}

static void test_host(void **state)
{
	assert_answer(state, FROM("Amber", "host", "tcp") PORT(22), PASS,
		      "\"destination\":\"10.1.0.1\"", "\"destination\":\"fd01::1\"",
		      "\"chain\":\"amber-HOST\"", "published port", "the host's own input rules",
		      NULL);
	assert_answer(state, FROM("Amber", "10.2.0.1", "tcp") PORT(23), RESET, "\"hook\":\"input\"",
		      NULL);
	assert_answer(state, FROM("Amber", "10.1.0.1", "udp") PORT(67), PASS, "DHCP", NULL);
	assert_answer(state, FROM("Amber", "10.1.0.1", "udp") PORT(68), DROP, NULL);
	assert_answer(state, FROM("beryl", "host", "udp") PORT(1), PASS, "no host rules", NULL);
}

/* Another network's container, a stranger, the host's loopback; link-local addresses belong to each bridge. */
static void test_sources(void **state)
{
	assert_answer(state, FROM("Amber", "192.0.2.200", "tcp") PORT(80) SRC("10.2.0.9"), DROP,
		      "\"chain\":\"amber-SRC\"", "its source is not of this bridge", NULL);
	assert_answer(state, FROM("Amber", "2001:db8::9", "udp") PORT(80) SRC("2001:db8::7"), DROP,
		      "its source is not of this bridge", NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "icmp") TYPE("135") SRC("fe80::7"), PASS,
		      NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "icmp") TYPE("135") SRC("fd01::7"), PASS,
		      NULL);
	/* All hosts' address, and the host's own. */
	assert_answer(state, FROM("Amber", "192.0.2.200", "tcp") PORT(80) SRC("10.1.0.255"), DROP,
		      "its source is not of this bridge", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.200", "tcp") PORT(80) SRC("10.1.0.1"), DROP,
		      "\"bridge_table\":{\"verdict\":\"drop\"", "the bridge's own", "\"steps\":[]",
		      NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "icmp") TYPE("134") SRC("fe80::7"), DROP,
		      "a container is no router", NULL);
	/* The dockside container answers by any of its networks; others do not borrow its address. */
	assert_answer(state,
		      FROM("Amber", "192.0.2.200", "udp") PORT(9) SRC("10.2.0.2")
			      MAC("02:00:00:00:00:09"),
		      DROP, "its source is not of this bridge", NULL);
	assert_answer(state,
		      FROM("Amber", "192.0.2.200", "udp") PORT(9) SRC("10.2.0.2")
			      MAC("02:00:00:00:00:02"),
		      "\"chain\":\"amber-OUT\"", NULL);
}

static void add_port(struct ports *ports, const char *name, const char *bridge,
		     const char *container, uint8_t mac, struct ipaddr *addr)
{
	struct port *port = ports_add(ports);

	snprintf(port->name, sizeof(port->name), "%s", name);
	snprintf(port->bridge, sizeof(port->bridge), "%s", bridge);
	if (!container)
		return;
	port->known = true;
	port->container = xstrdup(container);
	port->mac[0] = 2;
	port->mac[5] = mac;
	port->addrs = xcalloc(1, sizeof(*addr));
	port->addrs[0] = *addr;
	port->n_addrs = 1;
}

#define TABLE(verdict, text) "\"bridge_table\":{\"verdict\":\"" verdict "\",\"text\":\"" text

/* The bridge table is asked first, and by who is on which port. */
static void test_bound(void **state)
{
	struct ipaddr web = { FAMILY_IPV4, { 10, 1, 0, 9 } },
		      db = { FAMILY_IPV4, { 10, 1, 0, 10 } };
	struct ipaddr other = { FAMILY_IPV4, { 10, 2, 0, 9 } };
	struct ports ports = { .asked = true };
	struct fixture *f = *state;

	add_port(&ports, "veth1", "amber", "web", 9, &web);
	add_port(&ports, "veth2", "amber", "db", 10, &db);
	add_port(&ports, "veth3", "amber", NULL, 0, NULL);
	add_port(&ports, "veth4", "beryl", "other", 11, &other);
	ports_sort(&ports);
	f->bind.ports = &ports;
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.9"), PASS,
		      TABLE("bound", "bound: source 10.1.0.9 is container web's on port veth1"),
		      "amber-OUT", NULL);
	assert_answer(state, FROM("Amber", "10.1.0.10", "tcp") PORT(443) SRC("10.1.0.9"),
		      "destination 10.1.0.10 is container db's", "amber-ING", NULL);
	assert_answer(state,
		      FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.9")
			      MAC("02:00:00:00:00:0a"),
		      TABLE("drop", "dropped: source 10.1.0.9 is container web's, whose MAC "
				    "address is 02:00:00:00:00:09"),
		      "\"steps\":[]", "\"mark\":0,\"verdict\":\"drop\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.77"), PASS,
		      TABLE("depends on the port", "source 10.1.0.77 is no known container's: it "
						   "passes from ports whose container is not known "
						   "(1 at present)"),
		      NULL);
	/* The source is another network's container's, and nobody's. */
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.2.0.9"),
		      TABLE("drop", "dropped: source 10.2.0.9 is no known container's, nor an "
				    "address of the network"),
		      NULL);
	assert_answer(
		state, FROM("Amber", "192.0.2.5", "tcp") PORT(443), PASS,
		TABLE("depends on the port", "passes from a port whose container has its source"),
		NULL);
	f->bind.no_bridge = "why";
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.77"), PASS,
		      TABLE("not bound", "not bound, as this kernel"), NULL);
	f->bind = (struct explain_ports){ 0 };
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.9"), PASS,
		      TABLE("depends on the port",
			    "source 10.1.0.9 passes from the port of the container that has it, "
			    "and while nobody"),
		      NULL);
	assert_answer(state, FROM("coral", "192.0.2.5", "tcp") PORT(443), PASS,
		      "\"bridge_table\":null", NULL);
	ports_free(&ports);
}

/* "strict", "off" and "extra" of the policy. */
static void test_bind_modes(void **state)
{
	static const struct prefix extra = { { FAMILY_IPV4, { 10, 1, 0, 0 } }, 24 };
	struct ports ports = { .asked = true };
	struct fixture *f = *state;
	struct network *network = &f->policy.networks[0];
	struct prefix list[] = { extra };

	f->bind.ports = &ports;
	network->bind = BIND_STRICT;
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.77"),
		      TABLE("drop", "dropped: source 10.1.0.77 is no known container's\""), NULL);
	network->extra = list;
	network->n_extra = 1;
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.77"), PASS,
		      TABLE("depends on the port", "source 10.1.0.77 is in \\\"extra\\\""), NULL);
	network->extra = NULL;
	network->n_extra = 0;
	network->bind = BIND_OFF;
	assert_answer(state, FROM("Amber", "192.0.2.5", "tcp") PORT(443) SRC("10.1.0.77"), PASS,
		      TABLE("not bound", "not bound (\\\"bind\\\": \\\"off\\\")"), NULL);
}

static void test_icmp(void **state)
{
	assert_answer(state, FROM("Amber", "192.0.2.200", "icmp"), PASS, "\"type\":8", NULL);
	assert_answer(state, FROM("Amber", "2001:db8::9", "icmp"), PASS, "\"type\":128", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.200", "icmp") TYPE("timestamp-request"), DROP,
		      "\"state\":\"new\"", NULL);
	assert_answer(state, FROM("Amber", "192.0.2.200", "icmp") TYPE("3/1"), DROP,
		      "\"state\":\"invalid\"", "part of no connection", "\"code\":1", NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "icmp") TYPE("135"), PASS,
		      "\"state\":\"untracked\"", NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "icmp") TYPE("152"), DROP,
		      "\"state\":\"untracked\"", "part of no connection", NULL);
	assert_answer(state, FROM("Amber", "fd01::9", "icmp") TYPE("153"), DROP,
		      "\"state\":\"invalid\"", NULL);
	assert_answer(state, FROM("Amber", "2001:db8::fe", "icmp") TYPE("135"), DROP,
		      "\"state\":\"untracked\"", NULL);
	assert_not_translated(state, FROM("Amber", "192.0.2.200", "icmp") TYPE("3/1"));
	assert_not_translated(state, FROM("Amber", "fd01::9", "icmp") TYPE("135"));
	assert_answer(state, FROM("Amber", "10.1.0.1", "icmp") TYPE("echo-reply"), DROP,
		      "\"state\":\"invalid\"", "part of no connection", NULL);
	assert_refused(state, FROM("Amber", "2001:db8::9", "icmp") TYPE("source-quench"), -EINVAL,
		       "no counterpart in ICMPv6");
	assert_refused(state, FROM("Amber", "2001:db8::9", "1"), -EINVAL, "other family");
	assert_refused(state, FROM("Amber", "192.0.2.1", "icmp") TYPE("256"), -EINVAL, "256");
}

static void test_bad_questions(void **state)
{
	assert_refused(state, FROM("ambr", "192.0.2.1", "47"), -EINVAL, "did you mean Amber?");
	assert_refused(state, FROM("Amber", "192.0.2.1", "tcp"), -EINVAL, "need a port");
	assert_refused(state, FROM("Amber", "192.0.2.1", "tcp") PORT(0), -EINVAL, "1 to 65535");
	assert_refused(state, FROM("Amber", "192.0.2.1", "47") PORT(1), -EINVAL,
		       "tcp and udp only");
	assert_refused(state, FROM("Amber", "192.0.2.1", "tcp") PORT(1) TYPE("8"), -EINVAL,
		       "icmp only");
	assert_refused(state, FROM("Amber", "192.0.2.1", "256"), -EINVAL, "\"256\"");
	assert_refused(state, FROM("Amber", "192.0.2.1/24", "47"), -EINVAL, "192.0.2.1/24");
	assert_refused(state, FROM("Amber", "224.0.0.1", "47"), -EINVAL, "one receiver");
	assert_refused(state, FROM("Amber", "127.0.0.1", "47"), -EINVAL, "one receiver");
	assert_refused(state, FROM("Amber", "10.1.0.255", "47"), -EINVAL, "one receiver");
	assert_refused(state, FROM("Amber", "10.2.0.255", "47"), -EINVAL, "one receiver");
	/* Gateway, dockside container and broadcast are all that this subnet has. */
	assert_refused(state, FROM("delft", "2001:db8::1", "47"), -EINVAL, "no such address");
	assert_refused(state, FROM("Amber", "192.0.2.1", "47") SRC("fd01::3"), -EINVAL,
		       "one family");
	assert_refused(state, FROM("Amber", "192.0.2.1", "47") SRC("x"), -EINVAL, "\"x\"");
	assert_refused(state, FROM("Amber", "192.0.2.1", "47") MAC("x"), -EINVAL, "\"x\"");
	assert_refused(state, FROM("beryl", "2001:db8::9", "47"), -EINVAL, "no such address");
	assert_refused(state, FROM("Amber", "10.1.0.7", "47") SRC("10.1.0.7"), -EINVAL,
		       "source and destination");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_egress),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_between_containers),
		cmocka_unit_test(test_dockside),
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_large_set),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_sources),
		cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bind_modes, set_up, tear_down),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_bad_questions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
