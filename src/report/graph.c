/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define PORTS_SHOWN 6
#define LINES_SHOWN 8	 /* rules on one arrow */
#define COMMENT_SHOWN 40 /* characters */

/* The end of an arrow. */
struct place {
	enum dest to;
	bool docker_host; /* with DEST_ALL */
	struct prefix prefix;
	const char *host;
	size_t ipset;
};

struct graph {
	const struct policy *policy;
	struct buf *b;
	struct place *places; /* sorted, unique: their index is their name */
	size_t n_places, cap_places;
};

/* Rules of one network between it and a place. */
struct arrow {
	size_t place;
	enum action action;
};

/* ------------------------------------------------------------------ text */

/* Inside the quotes of a label, where "\N", "\l" and "&lt;" would mean something. */
static void put_text(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_putc(b, '\\');
		if (s[i] == '&')
			buf_puts(b, "&amp;");
		else
			buf_putc(b, s[i]);
	}
}

static void put_string(struct buf *b, const char *s)
{
	put_text(b, s, strlen(s));
}

/* The bytes of the first characters that are shown. */
static size_t cut_comment(const char *s)
{
	size_t len = strlen(s), at = 0;
	uint32_t code;

	for (int i = 0; i < COMMENT_SHOWN && at < len; i++) {
		size_t n = utf8_char(s + at, len - at, &code);

		at += n ? n : 1;
	}
	return at;
}

static void put_comment(struct buf *b, const char *comment)
{
	size_t len;

	if (!comment)
		return;
	len = cut_comment(comment);
	buf_puts(b, ": ");
	put_text(b, comment, len);
	if (comment[len])
		buf_puts(b, "…");
}

static void put_prefix(struct buf *b, const struct prefix *prefix)
{
	char text[ADDR_STRLEN];

	buf_puts(b, prefix_is_address(prefix) ? ipaddr_format(&prefix->addr, text)
					      : prefix_format(prefix, text));
}

static void put_ports(struct buf *b, const struct portrange *ports, size_t n)
{
	for (size_t i = 0; i < n && i < PORTS_SHOWN; i++) {
		buf_puts(b, i ? ", " : " ");
		portrange_put(b, &ports[i]);
	}
	if (n > PORTS_SHOWN)
		buf_printf(b, " and %zu more", n - PORTS_SHOWN);
}

static void put_icmp(struct buf *b, const struct rule *rule)
{
	const struct icmp_type *type = rule->icmp4.set ? &rule->icmp4 : &rule->icmp6;

	buf_puts(b, rule->icmp4.set ? "icmp" : "icmpv6");
	if (type->any)
		return;
	if (rule->icmp4.set && type->type == 8 && !type->has_code) {
		buf_puts(b, " echo-request");
		return;
	}
	buf_printf(b, " type %d", type->type);
	if (type->has_code)
		buf_printf(b, "/%d", type->code);
}

/* "[2] tcp 80, 443: comment", [2] being its place in the list; i is how many rules stand before it. */
static void put_rule(struct buf *b, size_t i, const struct rule *rule)
{
	buf_printf(b, "[%zu] ", rule->index);
	switch (rule->proto) {
	case PROTO_ANY:
		buf_puts(b, rule->to != DEST_ALL ? "all"
			    : i == 0		 ? "everything"
						 : "everything else");
		break;
	case PROTO_TCP:
	case PROTO_UDP:
		buf_puts(b, proto_name(rule->proto));
		put_ports(b, rule->ports, rule->n_ports);
		break;
	case PROTO_ICMP:
		put_icmp(b, rule);
		break;
	}
	put_comment(b, rule->comment);
	buf_puts(b, "\\l");
}

/* ------------------------------------------------------------------ places */

static int cmp_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->docker_host != y->docker_host)
		return x->docker_host ? 1 : -1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	switch (x->to) {
	case DEST_ALL:
		return 0;
	case DEST_CIDR:
	case DEST_IP:
		return prefix_cmp(&x->prefix, &y->prefix);
	case DEST_HOSTNAME:
	case DEST_PATTERN:
		return strcmp(x->host, y->host);
	case DEST_IPSET:
		return x->ipset < y->ipset ? -1 : x->ipset > y->ipset;
	}
	return 0;
}

static struct place place_of(const struct rule *rule)
{
	struct place place = { .to = rule->to };

	switch (rule->to) {
	case DEST_ALL:
		break;
	case DEST_CIDR:
	case DEST_IP: /* "cidr": "10.0.0.1/32" is the same place */
		place.to = DEST_CIDR;
		place.prefix = rule->cidr;
		break;
	case DEST_HOSTNAME:
	case DEST_PATTERN:
		place.host = rule->hostname;
		break;
	case DEST_IPSET:
		place.ipset = rule->ipset;
		break;
	}
	return place;
}

static struct place place_of_nat(const struct nat_rule *rule)
{
	if (rule->to_host)
		return (struct place){ .to = DEST_HOSTNAME, .host = rule->to_host };
	return (struct place){ .to = DEST_CIDR, .prefix = prefix_of_address(&rule->to_ip) };
}

static const struct place everything = { .to = DEST_ALL };
static const struct place docker_host = { .to = DEST_ALL, .docker_host = true };

static void add_place(struct graph *g, struct place place)
{
	g->places = array_grow(g->places, &g->cap_places, g->n_places, sizeof(*g->places));
	g->places[g->n_places++] = place;
}

/* The place was collected before. */
static size_t find_place(const struct graph *g, struct place place)
{
	const struct place *found = NULL;

	if (g->places)
		found = bsearch(&place, g->places, g->n_places, sizeof(place), cmp_places);
	assert(found);
	return (size_t)(found - g->places);
}

static void collect_places(struct graph *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->policy->n_networks; i++) {
		const struct network *network = &g->policy->networks[i];

		if (network_has_policy(network)) {
			add_place(g, everything);
			add_place(g, docker_host);
		}
		for (size_t k = 0; k < network->n_egress; k++)
			add_place(g, place_of(&network->egress[k]));
		for (size_t k = 0; k < network->n_nat; k++)
			add_place(g, place_of_nat(&network->nat[k]));
	}
	if (g->n_places == 0)
		return;
	qsort(g->places, g->n_places, sizeof(*g->places), cmp_places);
	for (size_t i = 1; i < g->n_places; i++)
		if (cmp_places(&g->places[n], &g->places[i]) != 0)
			g->places[++n] = g->places[i];
	g->n_places = n + 1;
}

static void put_ipset(struct buf *b, const struct ipset *ipset)
{
	size_t names = ipset->n_hostnames + ipset->n_patterns, prefixes = ipset->n_prefixes;

	buf_puts(b, "ipset ");
	put_string(b, ipset->name);
	buf_puts(b, "\\n");
	if (names > 0)
		buf_printf(b, "%zu name%s", names, names == 1 ? "" : "s");
	if (names > 0 && prefixes > 0)
		buf_puts(b, ", ");
	if (prefixes > 0)
		buf_printf(b, "%zu address%s or network%s", prefixes, prefixes == 1 ? "" : "es",
			   prefixes == 1 ? "" : "s");
	if (names + prefixes == 0)
		buf_puts(b, "empty");
}

static void put_place(struct graph *g, size_t i)
{
	const struct place *place = &g->places[i];
	struct buf *b = g->b;

	buf_printf(b, "\tto%zu [label=\"", i);
	switch (place->to) {
	case DEST_ALL:
		buf_puts(b, place->docker_host ? "this Docker host\", fillcolor=\"#fff3d6"
					       : "everything\\nthe Internet, other networks\", "
						 "shape=ellipse, fillcolor=\"#eaeef2");
		break;
	case DEST_CIDR:
	case DEST_IP:
		put_prefix(b, &place->prefix);
		break;
	case DEST_HOSTNAME:
	case DEST_PATTERN:
		put_string(b, place->host);
		break;
	case DEST_IPSET:
		put_ipset(b, &g->policy->ipsets[place->ipset]);
		buf_puts(b, "\", shape=folder, fillcolor=\"#e7f6ec");
		break;
	}
	buf_puts(b, "\"];\n");
}

/* ------------------------------------------------------------------ networks */

static void put_dockside(struct buf *b, size_t i, const struct network *network)
{
	char text[ADDR_STRLEN];

	if (!network->has_dockside_ip && !network->has_dockside_ip6 && !network->has_dockside_mac)
		return;
	buf_printf(b, "\t\tdockside%zu [label=\"dockside container", i);
	if (network->has_dockside_ip)
		buf_printf(b, "\\n%s", ipaddr_format(&network->dockside_ip, text));
	if (network->has_dockside_ip6)
		buf_printf(b, "\\n%s", ipaddr_format(&network->dockside_ip6, text));
	if (network->has_dockside_mac)
		buf_printf(b, "\\n%s", mac_format(network->dockside_mac, text));
	buf_printf(b, "\\n%s\", fillcolor=\"#fff3d6\"];\n",
		   network->dockside_policed ? "under the rules, too" : "exempt from the rules");
	buf_printf(b,
		   "\t\tdockside%zu -> net%zu [label=\"tcp\", color=\"#1a7f37\", "
		   "fontcolor=\"#1a7f37\"];\n",
		   i, i);
}

static void put_network(struct buf *b, size_t i, const struct network *network)
{
	bool managed = network_has_policy(network), audit = managed && network->audit;
	char text[ADDR_STRLEN];

	buf_printf(b, "\tsubgraph cluster_%zu {\n\t\tlabel=\"", i);
	put_string(b, network->name);
	if (!network->placed) {
		buf_puts(b, " (external)");
	} else if (strcmp(network->name, network->bridge) != 0) {
		buf_puts(b, " (bridge ");
		put_string(b, network->bridge);
		buf_putc(b, ')');
	}
	if (network->has_subnet)
		buf_printf(b, "\\n%s", prefix_format(&network->subnet, text));
	if (network->has_subnet6)
		buf_printf(b, "%s%s", network->has_subnet ? ", " : "\\n",
			   prefix_format(&network->subnet6, text));
	if (network->dns.gated)
		buf_puts(b, "\\nDNS by the gate alone");
	if (audit)
		buf_puts(b, "\\nAUDIT: NOTHING IS REFUSED");
	buf_printf(b,
		   "\"; labelloc=t;\n\t\tstyle=\"rounded,filled%s\"; color=\"%s\"; "
		   "fillcolor=\"%s\";\n",
		   managed ? "" : ",dashed",
		   audit     ? "#bc4c00"
		   : managed ? "#0969da"
			     : "#8c959f",
		   audit     ? "#fff1e5"
		   : managed ? "#eef5ff"
			     : "#f6f8fa");
	put_dockside(b, i, network);
	buf_printf(b, "\t\tnet%zu [label=\"containers\\n%s\"];\n\t}\n", i,
		   audit     ? "open to each other"
		   : managed ? "closed to each other"
			     : "not managed:\\nDocker's rules alone");
}

/* ------------------------------------------------------------------ arrows */

static const char *arrow_style(enum action action, bool audit)
{
	if (action == ACTION_ALLOW)
		return "color=\"#1a7f37\", fontcolor=\"#1a7f37\"";
	if (audit)
		return "color=\"#bc4c00\", fontcolor=\"#bc4c00\", penwidth=1.6";
	return "color=\"#cf222e\", fontcolor=\"#cf222e\", arrowhead=tee, penwidth=1.6";
}

static void put_arrow(struct graph *g, size_t net, const struct rule *list, const size_t *places,
		      size_t n, const struct arrow *arrow)
{
	bool audit = g->policy->networks[net].audit;
	size_t shown = 0, more = 0;

	buf_printf(g->b, "\tnet%zu -> to%zu [label=\"", net, arrow->place);
	for (size_t i = 0; i < n; i++) {
		if (places[i] != arrow->place || list[i].action != arrow->action)
			continue;
		if (shown < LINES_SHOWN) {
			put_rule(g->b, i, &list[i]);
			shown++;
		} else {
			more++;
		}
	}
	if (more > 0)
		buf_printf(g->b, "and %zu more\\l", more);
	buf_printf(g->b, "\", %s];\n", arrow_style(arrow->action, audit));
}

/* An arrow for all rules of one place and action, in the order of the first of each. */
static void put_arrows(struct graph *g, size_t net, const struct rule *list, size_t n,
		       const struct place *only)
{
	struct arrow *arrows = xcalloc(n + 1, sizeof(*arrows));
	size_t *places = xcalloc(n + 1, sizeof(*places)), n_arrows = 0;

	for (size_t i = 0; i < n; i++) {
		struct arrow arrow = { .action = list[i].action };
		size_t k = 0;

		arrow.place = find_place(g, only ? *only : place_of(&list[i]));
		places[i] = arrow.place;
		while (k < n_arrows &&
		       (arrows[k].place != arrow.place || arrows[k].action != arrow.action))
			k++;
		if (k == n_arrows)
			arrows[n_arrows++] = arrow;
	}
	for (size_t k = 0; k < n_arrows; k++)
		put_arrow(g, net, list, places, n, &arrows[k]);
	free(arrows);
	free(places);
}

/* Whether a rule takes whatever is left. */
static bool ends(const struct rule *list, size_t n)
{
	return n > 0 && rule_matches_everything(&list[n - 1]);
}

static void put_rest(struct graph *g, size_t net, const struct place *place, const char *who)
{
	buf_printf(g->b,
		   "\tnet%zu -> to%zu [label=\"everything else: %s\\l\", color=\"#8c959f\", "
		   "fontcolor=\"#57606a\", arrowhead=empty];\n",
		   net, find_place(g, *place), who);
}

/* Without host rules nobody judges what goes to the host. */
static void put_open_host(struct graph *g, size_t net)
{
	buf_printf(g->b, "\tnet%zu -> to%zu [label=\"everything: open, no host rules\\l\", %s];\n",
		   net, find_place(g, docker_host), arrow_style(ACTION_ALLOW, false));
}

static void put_nat(struct graph *g, size_t net, const struct network *network)
{
	for (size_t i = 0; i < network->n_nat; i++) {
		const struct nat_rule *rule = &network->nat[i];

		buf_printf(g->b, "\tnet%zu -> to%zu [label=\"nat[%zu] %s %d to port %d", net,
			   find_place(g, place_of_nat(rule)), rule->index, proto_name(rule->proto),
			   rule->match_dport, rule->to_port);
		put_comment(g->b, rule->comment);
		buf_puts(g->b, "\\l\", style=dashed, color=\"#8250df\", fontcolor=\"#8250df\"];\n");
	}
}

static void put_network_arrows(struct graph *g, size_t net, const struct network *network)
{
	if (!network_has_policy(network))
		return;
	put_arrows(g, net, network->egress, network->n_egress, NULL);
	if (!ends(network->egress, network->n_egress))
		put_rest(g, net, &everything, "Docker decides");
	put_nat(g, net, network);
	if (network->n_host_rules == 0) {
		put_open_host(g, net);
		return;
	}
	put_arrows(g, net, network->host_rules, network->n_host_rules, &docker_host);
	if (!ends(network->host_rules, network->n_host_rules))
		put_rest(g, net, &docker_host, "the host decides");
}

static bool any_audit(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (network_has_policy(&policy->networks[i]) && policy->networks[i].audit)
			return true;
	return false;
}

void graph_policy(const struct policy *policy, struct buf *b)
{
	static const char font[] = "fontname=\"Helvetica,Arial,DejaVu Sans,sans-serif\"";
	struct graph g = { .policy = policy, .b = b };

	collect_places(&g);
	buf_puts(b,
		 "digraph policy {\n\trankdir=LR; nodesep=0.3; ranksep=1.2; charset=\"UTF-8\";\n");
	buf_printf(b,
		   "\tgraph [%s, fontsize=13, labelloc=b, label=\"green: allowed   red: refused   "
		   "%sgrey: left to others   dashed: redirected\\n[0], [1], …: place in the list; "
		   "the first rule that "
		   "matches decides\"];\n",
		   font, any_audit(policy) ? "orange: let pass, would be refused   " : "");
	buf_printf(b,
		   "\tnode [%s, fontsize=12, shape=box, style=\"rounded,filled\", "
		   "color=\"#57606a\", fillcolor=\"#ffffff\"];\n",
		   font);
	buf_printf(b, "\tedge [%s, fontsize=10];\n", font);
	for (size_t i = 0; i < policy->n_networks; i++)
		put_network(b, i, &policy->networks[i]);
	for (size_t i = 0; i < g.n_places; i++)
		put_place(&g, i);
	for (size_t i = 0; i < policy->n_networks; i++)
		put_network_arrows(&g, i, &policy->networks[i]);
	buf_puts(b, "}\n");
	free(g.places);
}
