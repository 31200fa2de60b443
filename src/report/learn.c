/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/learn.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "dockside/policy/config.h"
#include "dockside/report/denied.h"
#include "dockside/table/plan.h"

#define ALLOWED_SHOWN 50

/* ------------------------------------------------------------------ taking in */

static bool number_of(const struct json_node *object, const char *key, int64_t max,
		      uint16_t *ret_number)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	if (!node || node->u.integer < 0 || node->u.integer > max)
		return false;
	*ret_number = (uint16_t)node->u.integer;
	return true;
}

/* The ICMPv4 type by which rules call one of ICMPv6: the one whose twin it is. */
static bool icmp6_type(uint16_t *type)
{
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		struct icmp_type v4 = { 0 }, v6 = { 0 };
		char number[4];
		int len = snprintf(number, sizeof(number), "%u", i);

		if (!icmp_type_parse(number, (size_t)len, &v4, &v6) || !v6.set || v6.has_code ||
		    v6.type != *type)
			continue;
		*type = v4.type;
		return true;
	}
	return false;
}

/* Protocol, and port or type. False for what rules have no word for. */
static bool read_protocol(const struct json_node *event, enum proto *ret_proto, uint16_t *ret_port)
{
	const char *protocol = json_text(event, "protocol", NULL);

	if (!protocol)
		return false;
	if (strcmp(protocol, "tcp") == 0 || strcmp(protocol, "udp") == 0) {
		*ret_proto = protocol[0] == 't' ? PROTO_TCP : PROTO_UDP;
		return number_of(event, "port", UINT16_MAX, ret_port) && *ret_port > 0;
	}
	*ret_proto = PROTO_ICMP;
	if (strcmp(protocol, "icmp") == 0)
		return number_of(event, "icmp_type", UINT8_MAX, ret_port);
	return strcmp(protocol, "icmpv6") == 0 &&
	       number_of(event, "icmp_type", UINT8_MAX, ret_port) && icmp6_type(ret_port);
}

/* A rule says any number of ports, but one ICMP type. */
static struct learn_flow *flow_of(struct learn *learn, const struct learn_flow *key, uint16_t port)
{
	struct learn_flow *flow;

	for (size_t i = 0; i < learn->n; i++) {
		flow = &learn->flows[i];
		if (flow->host == key->host && flow->proto == key->proto &&
		    flow->dropped == key->dropped && strcmp(flow->dest, key->dest) == 0 &&
		    (key->proto != PROTO_ICMP || flow->ports[0] == port))
			return flow;
	}
	learn->flows = array_grow(learn->flows, &learn->cap, learn->n, sizeof(*learn->flows));
	flow = &learn->flows[learn->n++];
	*flow = *key;
	flow->dest = arena_strdup(&learn->arena, key->dest);
	return flow;
}

static void add_port(struct learn_flow *flow, uint16_t port)
{
	size_t i = 0;

	while (i < flow->n_ports && flow->ports[i] < port)
		i++;
	if (i < flow->n_ports && flow->ports[i] == port)
		return;
	flow->ports = array_grow(flow->ports, &flow->cap_ports, flow->n_ports, sizeof(uint16_t));
	memmove(flow->ports + i + 1, flow->ports + i, (flow->n_ports - i) * sizeof(uint16_t));
	flow->ports[i] = port;
	flow->n_ports++;
}

/* "egress[1]" or "host[1]", and nothing that could end a comment. */
static bool is_entry(const char *s)
{
	size_t len = strlen(s), head = strcspn(s, "[") + 1;
	uint64_t index;

	return (strncmp(s, "egress[", head) == 0 || strncmp(s, "host[", head) == 0) && len > head &&
	       s[len - 1] == ']' && parse_uint(s + head, len - head - 1, 0, UINT32_MAX, &index);
}

static void add_allowed(struct learn *learn, const char *rule, const char *dest)
{
	struct learn_allowed *allowed;

	for (size_t i = 0; i < learn->n_allowed; i++) {
		allowed = &learn->allowed[i];
		if (strcmp(allowed->rule, rule) == 0 && strcmp(allowed->dest, dest) == 0) {
			allowed->count++;
			return;
		}
	}
	learn->allowed = array_grow(learn->allowed, &learn->cap_allowed, learn->n_allowed,
				    sizeof(*learn->allowed));
	learn->allowed[learn->n_allowed++] =
		(struct learn_allowed){ arena_strdup(&learn->arena, rule),
					arena_strdup(&learn->arena, dest), 1 };
}

/* No rule of the policy would allow it. */
static bool is_forged(const char *kind)
{
	for (size_t i = 0; i < N_BOUND_KINDS; i++)
		if (strcmp(kind, bound_kinds[i]) == 0)
			return true;
	return strcmp(kind, "SRC") == 0;
}

void learn_add(struct learn *learn, const struct json_node *event)
{
	struct learn_flow key = { .dest = "" }, *flow;
	const char *kind, *name, *address, *from, *rule;
	struct ipaddr addr;
	uint16_t port = 0;

	if (event->kind != JSON_OBJECT || !(kind = json_text(event, "kind", NULL)))
		return;
	if (is_forged(kind)) {
		learn->forged++;
		return;
	}
	if (strcmp(kind, "DNS") == 0) {
		learn->past_gate++;
		return;
	}
	/* In audit mode a packet follows, which says the port, too. */
	if (strcmp(kind, DENIED_NAME) == 0) {
		learn->names += strcmp(json_text(event, "verdict", ""), "audit") != 0;
		return;
	}
	if (!(address = json_text(event, "destination", NULL)) ||
	    !ipaddr_parse(address, strlen(address), &addr))
		return;
	if (strcmp(kind, "ING") == 0) {
		learn->between++;
		return;
	}
	if (!read_protocol(event, &key.proto, &port)) {
		learn->unsayable++;
		return;
	}
	name = json_text(event, "name", NULL);
	key.host = strcmp(kind, "HOST") == 0;
	key.named = !key.host && name && hostname_valid(name, strlen(name));
	if (!key.host)
		key.dest = key.named ? name : address;
	rule = json_text(event, "allowed_by", NULL);
	if (!key.host && rule && is_entry(rule)) {
		add_allowed(learn, rule, key.dest);
		return;
	}
	from = json_text(event, "name_from", NULL);
	key.looked_up = key.named && from && strcmp(from, "lookup") == 0;
	rule = json_text(event, "dropped_by", NULL);
	key.dropped = rule || json_is_true(event, "on_purpose");
	flow = flow_of(learn, &key, port);
	if (!flow->dropped_by && rule && is_entry(rule))
		flow->dropped_by = arena_strdup(&learn->arena, rule);
	flow->looked_up &= key.looked_up; /* once confirmed will do */
	add_port(flow, port);
	flow->count++;
}

/* ------------------------------------------------------------------ grouping */

static int cmp_ports(const struct learn_flow *a, const struct learn_flow *b)
{
	if (a->n_ports != b->n_ports)
		return a->n_ports < b->n_ports ? -1 : 1;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i] != b->ports[i])
			return a->ports[i] < b->ports[i] ? -1 : 1;
	return 0;
}

/* Used alike: one rule can allow both. */
static bool alike(const struct learn_flow *a, const struct learn_flow *b)
{
	return !a->host && !b->host && a->dropped == b->dropped && a->proto == b->proto &&
	       cmp_ports(a, b) == 0;
}

/* The most used first; then in an order that does not depend on what came when. */
static int cmp_flows(const void *x, const void *y)
{
	const struct learn_flow *a = x, *b = y;
	int r;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	r = strcmp(a->dest, b->dest);
	if (r == 0)
		r = (int)a->proto - (int)b->proto;
	if (r == 0)
		r = cmp_ports(a, b);
	return r ? r : (int)a->dropped - (int)b->dropped;
}

/* Flows that one rule allows. */
struct group {
	const struct learn_flow *first;
	size_t n;
	uint64_t count;
	size_t ipset; /* its number; 0: it needs none */
};

static int cmp_groups(const void *x, const void *y)
{
	const struct group *a = x, *b = y;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first; /* flows are sorted */
}

static size_t make_groups(struct learn *learn, struct group *groups)
{
	size_t n = 0, ipsets = 0;

	if (learn->n > 0)
		qsort(learn->flows, learn->n, sizeof(*learn->flows), cmp_flows);
	for (size_t i = 0; i < learn->n; i++) {
		const struct learn_flow *flow = &learn->flows[i];
		size_t k = 0;

		while (k < n && !alike(groups[k].first, flow))
			k++;
		if (k == n)
			groups[n++] = (struct group){ .first = flow };
		groups[k].n++;
		groups[k].count += flow->count;
	}
	if (n > 0)
		qsort(groups, n, sizeof(*groups), cmp_groups);
	for (size_t i = 0; i < n; i++)
		groups[i].ipset = groups[i].n > 1 ? ++ipsets : 0;
	return n;
}

/* ------------------------------------------------------------------ printing */

/* "learnt-amber-1": a network's name has 15 bytes at most, an ipset's 31. */
static void put_ipset_name(struct buf *b, const char *network, size_t number)
{
	buf_printf(b, "\"learnt-%.*s-%zu\"", BRIDGE_NAME_MAX, network, number);
}

void learn_put_dropped(struct buf *b, const struct learn_flow *flow)
{
	if (flow->dropped_by)
		buf_printf(b, "%s drops it", flow->dropped_by);
	else
		buf_puts(b, "a rule dropped it on purpose");
}

/* The reader has to judge it, for these reasons. */
static void put_marks(struct buf *b, const struct learn_flow *flow, const char *before)
{
	if (flow->looked_up)
		buf_printf(b, "%slooked up", before);
	if (!flow->dropped)
		return;
	buf_puts(b, flow->looked_up ? ", " : before);
	learn_put_dropped(b, flow);
}

static void put_ipset(struct buf *b, const struct learn *learn, const struct group *group,
		      const char *network)
{
	size_t left = group->n;

	buf_puts(b, "    ");
	put_ipset_name(b, network, group->ipset);
	buf_puts(b, ": [\n");
	for (size_t i = 0; i < learn->n; i++) {
		const struct learn_flow *flow = &learn->flows[i];

		if (!alike(flow, group->first))
			continue;
		buf_printf(b, "      \"%s\"%s", flow->dest, --left ? "," : "");
		put_marks(b, flow, " // ");
		buf_puts(b, "\n");
	}
	buf_puts(b, "    ]");
}

static void put_what(struct buf *b, const struct learn_flow *flow)
{
	buf_printf(b, "{ \"proto\": \"%s\", ", proto_name(flow->proto));
	if (flow->proto == PROTO_ICMP) {
		buf_printf(b, "\"type\": %u, ", flow->ports[0]);
		return;
	}
	buf_puts(b, "\"ports\": [");
	for (size_t i = 0; i < flow->n_ports; i++)
		buf_printf(b, "%s%u", i > 0 ? ", " : "", flow->ports[i]);
	buf_puts(b, "], ");
}

static void put_rule(struct buf *b, const struct group *group, const char *network)
{
	const struct learn_flow *flow = group->first;

	buf_puts(b, "        ");
	put_what(b, flow);
	if (group->ipset) {
		buf_puts(b, "\"to\": \"ipset\", \"ipset\": ");
		put_ipset_name(b, network, group->ipset);
		buf_puts(b, ", ");
	} else if (!flow->host) {
		buf_printf(b, "\"to\": \"%s\", \"%s\": \"%s\", ", flow->named ? "host" : "ip",
			   flow->named ? "host" : "ip", flow->dest);
	}
	buf_puts(b, "\"action\": \"allow\" }");
}

static void put_rules(struct buf *b, const char *key, const struct group *groups, size_t n,
		      bool host, const char *network)
{
	size_t left = 0;
	bool any;

	for (size_t i = 0; i < n; i++)
		left += groups[i].first->host == host;
	any = left > 0;
	buf_printf(b, "      \"%s\": [%s", key, any ? "\n" : "");
	for (size_t i = 0; i < n; i++) {
		if (groups[i].first->host != host)
			continue;
		put_rule(b, &groups[i], network);
		buf_printf(b, "%s // %" PRIu64 " %s", --left ? "," : "", groups[i].count,
			   groups[i].count == 1 ? "packet" : "packets");
		if (!groups[i].ipset)
			put_marks(b, groups[i].first, ", ");
		buf_puts(b, "\n");
	}
	buf_puts(b, any ? "      ]" : "]");
}

static const char looked_up_note[] =
	"// looked up: by what the containers were told, whoever it was that they asked. Judge "
	"these\n"
	"// names before you allow them: what is allowed is what the daemon finds under a name.\n";

static const char dropped_note[] =
	"// dropped: by a rule that says what it drops, so somebody "
	"meant that. Behind that rule another one has no\n"
	"// effect; dsfw-nft allow puts one before it, or says which rule to change.\n";

static void put_notes(struct buf *b, const struct learn *learn)
{
	bool looked_up = false, dropped = false;

	for (size_t i = 0; i < learn->n; i++) {
		looked_up |= learn->flows[i].looked_up;
		dropped |= learn->flows[i].dropped;
	}
	if (looked_up)
		buf_puts(b, looked_up_note);
	if (dropped)
		buf_puts(b, dropped_note);
}

static int cmp_allowed(const void *x, const void *y)
{
	const struct learn_allowed *a = x, *b = y;
	int r;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	r = strcmp(a->dest, b->dest);
	return r ? r : strcmp(a->rule, b->rule);
}

/* Another rule of that kind would help nothing. */
static void put_allowed(struct buf *b, const struct learn *learn)
{
	if (learn->n_allowed == 0)
		return;
	qsort(learn->allowed, learn->n_allowed, sizeof(*learn->allowed), cmp_allowed);
	buf_puts(b,
		 "// Allowed already, and therefore not in here. Packets that were refused all the "
		 "same are from before that rule, or went\n"
		 "// to addresses that the daemon did not know for the name, as DNS had told it "
		 "others. What helps then: one\n"
		 "// caching resolver for containers and host, a longer IPSET_STALE_TTL, or a rule "
		 "for the networks of these.\n");
	for (size_t i = 0; i < learn->n_allowed && i < ALLOWED_SHOWN; i++) {
		const struct learn_allowed *allowed = &learn->allowed[i];

		buf_printf(b, "//   %s by %s: %" PRIu64 " %s\n", allowed->dest, allowed->rule,
			   allowed->count, allowed->count == 1 ? "packet" : "packets");
	}
	if (learn->n_allowed > ALLOWED_SHOWN)
		buf_printf(b, "//   and %zu more\n", learn->n_allowed - ALLOWED_SHOWN);
}

void learn_print(struct learn *learn, const char *network, struct buf *b)
{
	struct group *groups;
	bool any_ipset = false, any_host = false;
	size_t n;

	groups = xcalloc(learn->n + 1, sizeof(*groups));
	n = make_groups(learn, groups);
	put_allowed(b, learn);
	put_notes(b, learn);
	buf_puts(b, "{\n");
	for (size_t i = 0; i < n; i++) {
		any_host |= groups[i].first->host;
		if (groups[i].ipset == 0)
			continue;
		buf_puts(b, any_ipset ? ",\n" : "  \"ipsets\": {\n");
		put_ipset(b, learn, &groups[i], network);
		any_ipset = true;
	}
	if (any_ipset)
		buf_puts(b, "\n  },\n");
	buf_printf(b, "  \"networks\": {\n    \"%s\": {\n", network);
	put_rules(b, "egress", groups, n, false, network);
	if (any_host) {
		buf_puts(b, ",\n");
		put_rules(b, "host", groups, n, true, network);
	}
	buf_puts(b, "\n    }\n  }\n}\n");
	free(groups);
}

/* ------------------------------------------------------------------ for programs */

static void put_flow(struct json_writer *out, const struct learn_flow *flow)
{
	json_write_open(out, NULL, '{');
	json_write_bool(out, "host", flow->host);
	json_write_string(out, "destination", flow->host ? NULL : flow->dest);
	json_write_bool(out, "looked_up", flow->looked_up);
	json_write_bool(out, "dropped", flow->dropped);
	json_write_string(out, "dropped_by", flow->dropped_by);
	json_write_string(out, "protocol", proto_name(flow->proto));
	json_write_open(out, flow->proto == PROTO_ICMP ? "types" : "ports", '[');
	for (size_t i = 0; i < flow->n_ports; i++)
		json_write_int(out, NULL, flow->ports[i]);
	json_write_close(out, ']');
	json_write_int(out, "packets", (int64_t)flow->count);
	json_write_close(out, '}');
}

/* The text for people is JSON with comments. */
static void put_config(struct learn *learn, const char *network, struct json_writer *out)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct buf text = { 0 };
	struct src src;

	learn_print(learn, network, &text);
	src = (struct src){ .text = text.data, .len = text.len };
	if (json_parse(&src, &tree, &diags))
		json_write_node(out, "firewall_config", tree.root);
	diags_free(&diags);
	buf_free(&text);
}

void learn_json(struct learn *learn, const char *network, struct json_writer *out)
{
	json_write_string(out, "network", network);
	put_config(learn, network, out); /* and sorts the flows */
	json_write_open(out, "flows", '[');
	for (size_t i = 0; i < learn->n; i++)
		put_flow(out, &learn->flows[i]);
	json_write_close(out, ']');
	json_write_open(out, "allowed", '[');
	for (size_t i = 0; i < learn->n_allowed; i++) {
		json_write_open(out, NULL, '{');
		json_write_string(out, "destination", learn->allowed[i].dest);
		json_write_string(out, "rule", learn->allowed[i].rule);
		json_write_int(out, "packets", (int64_t)learn->allowed[i].count);
		json_write_close(out, '}');
	}
	json_write_close(out, ']');
	json_write_open(out, "left_out", '{');
	json_write_int(out, "between_containers", (int64_t)learn->between);
	json_write_int(out, "forged", (int64_t)learn->forged);
	json_write_int(out, "past_gate", (int64_t)learn->past_gate);
	json_write_int(out, "refused_names", (int64_t)learn->names);
	json_write_int(out, "other_protocols", (int64_t)learn->unsayable);
	json_write_close(out, '}');
}

void learn_free(struct learn *learn)
{
	for (size_t i = 0; i < learn->n; i++)
		free(learn->flows[i].ports);
	free(learn->flows);
	free(learn->allowed);
	arena_free(&learn->arena);
	*learn = (struct learn){ 0 };
}
