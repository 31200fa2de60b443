/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/explain_json.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "dockside/names/allowed.h"
#include "dockside/report/explain_gate.h"
#include "dockside/table/nft_text.h"

#define DRAINS                                                                                  \
	"the network is draining: it is no longer configured, and its last policy, which this " \
	"is, "                                                                                  \
	"stays in force until its containers have left"

static const char *hook_name(enum base_hook hook)
{
	switch (hook) {
	case BASE_FORWARD:
		return "forward";
	case BASE_INPUT:
		return "input";
	case BASE_PREROUTING_NAT:
	case BASE_PREROUTING_RAW:
	case BASE_PREROUTING_DNS:
		return "prerouting";
	case BASE_FORWARD_END:
	case BASE_OUTPUT:
	case BASE_OUTPUT_TOLD:
	case BASE_BIND:
	case BASE_BIND_TO:
	case BASE_BIND_OUTPUT:
	case BASE_NONE:
		break;
	}
	abort(); /* no packet begins there */
}

static const char *ct_name(enum explain_ct ct)
{
	switch (ct) {
	case EXPLAIN_NEW:
		return "new";
	case EXPLAIN_INVALID:
		return "invalid";
	case EXPLAIN_UNTRACKED:
		return "untracked";
	}
	abort();
}

static const char *verdict_name(enum explain_verdict verdict)
{
	switch (verdict) {
	case EXPLAIN_PASS:
		return "pass";
	case EXPLAIN_DROP:
		return "drop";
	case EXPLAIN_RESET:
		return "reset";
	}
	abort();
}

static void put_addr(struct json_writer *out, const char *key, const struct ipaddr *addr)
{
	char s[ADDR_STRLEN];

	json_write_string(out, key, ipaddr_format(addr, s));
}

static bool has_port(uint8_t l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_UDP;
}

static void put_protocol(struct json_writer *out, const struct explain_packet *packet)
{
	const char *name = l4proto_name(packet->l4proto);
	char number[4];

	snprintf(number, sizeof(number), "%u", packet->l4proto);
	json_write_string(out, "protocol", name ? name : number);
	if (packet->l4proto == IPPROTO_ICMP || packet->l4proto == IPPROTO_ICMPV6) {
		json_write_int(out, "type", packet->icmp_type);
		json_write_int(out, "code", packet->icmp_code);
	}
	if (has_port(packet->l4proto))
		json_write_int(out, "port", packet->dport);
}

/* ------------------------------------------------------------------ steps */

static void put_key(struct buf *b, enum set_type type, const struct elem *elem)
{
	struct elem key = *elem;

	switch (type) {
	case SET_IPV4:
	case SET_IPV6:
	case SET_PORTS:
	case SET_MAC:
	case SET_PORT_MAC:
	case SET_PORT_IPV4:
	case SET_PORT_IPV6:
	case SET_PORT_MAC_IPV4:
	case SET_PORT_MAC_IPV6:
	case SET_ND_TARGET:
	case SET_PORT_ND_TARGET:
		key.comment = NULL;
		key.timeout_ms = 0;
		nft_text_elem(b, type, &key);
		break;
	case SET_BRIDGES:
	case MAP_DISPATCH:
		buf_printf(b, "%.*s", IFNAME_KEY_LEN, (const char *)key.key);
		break;
	case MAP_NAT4:
	case MAP_NAT6:
		buf_printf(b, "%s %u", key.key[0] == IPPROTO_TCP ? "tcp" : "udp",
			   load_port(key.key + 4));
		break;
	case SET_MARKS:
	case MAP_TELL: /* no container's packet comes there */
	case SET_UNKNOWN:
		break;
	}
}

static void put_elem(struct json_writer *out, const struct explain_lookup *lookup)
{
	const struct elem *elem = lookup->elem;
	struct buf b = { 0 };

	put_key(&b, lookup->set->type, elem);
	json_write_open(out, NULL, '{');
	json_write_string(out, "set", lookup->set->name);
	json_write_string(out, "of", lookup->set->comment);
	json_write_string(out, "element", buf_str(&b));
	json_write_string(out, "comment", elem->comment);
	json_write_close(out, '}');
	buf_free(&b);
}

static void put_origin(struct json_writer *out, const struct origin *origin)
{
	unsigned line = 0, column = 0;

	if (!origin)
		return;
	json_write_string(out, "entry", origin->entry);
	if (!origin->loc.src)
		return;
	json_write_string(out, "file", origin->loc.src->name);
	loc_line_column(origin->loc, &line, &column);
	if (!line)
		return;
	json_write_int(out, "line", line);
	json_write_int(out, "column", column);
}

/* An element of a map has the entry that the rule in front of it has not. */
static const struct origin *step_origin(const struct explain_step *step)
{
	const struct explain_lookup *last =
		step->n_lookups > 0 ? &step->lookups[step->n_lookups - 1] : NULL;

	if (step->translated && last && last->elem->origin)
		return last->elem->origin;
	return step->rule ? step->rule->origin : step->chain->origin;
}

static void put_step(struct json_writer *out, const struct explain_step *step)
{
	struct buf b = { 0 };

	json_write_open(out, NULL, '{');
	json_write_string(out, "hook", hook_name(step->hook));
	json_write_string(out, "chain", step->chain->name);
	json_write_int(out, "rules", (int64_t)step->chain->n_rules);
	if (step->rule) {
		nft_text_rule(&b, step->rule);
		json_write_int(out, "rule", step->rule - step->chain->rules + 1);
		json_write_string(out, "text", buf_str(&b));
		json_write_string(out, "comment", step->rule->comment);
	}
	put_origin(out, step_origin(step));
	json_write_open(out, "lookups", '[');
	for (size_t i = 0; i < step->n_lookups; i++)
		put_elem(out, &step->lookups[i]);
	json_write_close(out, ']');
	if (step->translated) {
		put_addr(out, "destination", &step->dst);
		json_write_int(out, "port", step->dport);
	}
	json_write_close(out, '}');
	buf_free(&b);
}

/* ------------------------------------------------------------------ what comes then */

/* The question's destination. */
struct explain_asked {
	const struct policy *policy;
	const struct network *network; /* of that policy, or NULL */
	const char *name;	       /* or NULL */
	const char *looked_up;	       /* the name is hearsay */
	bool has_src;		       /* the question names the source */
};

static bool is_audited(const struct network *network)
{
	return network->audit && network_managed(network);
}

/* Whether any rule of ours has decided. */
static bool is_judged(const struct explanation *e)
{
	return e->n_steps > 0 && e->steps[e->n_steps - 1].rule &&
	       e->steps[e->n_steps - 1].hook != BASE_PREROUTING_NAT &&
	       e->steps[e->n_steps - 1].hook != BASE_PREROUTING_DNS;
}

static const char *next_of_host(const struct explanation *e)
{
	return is_judged(e) ? "we let it pass; the host's own input rules decide next"
			    : "no host rules are for this network: the host's own input rules "
			      "alone decide";
}

static void put_next(struct json_writer *out, const struct explanation *e)
{
	cleanup(cleanup_free) char *docker = NULL;

	switch (e->verdict) {
	case EXPLAIN_DROP:
		json_write_string(out, "next",
				  "we discard it without an answer; nobody after us sees it");
		return;
	case EXPLAIN_RESET:
		json_write_string(out, "next",
				  "we answer with a TCP reset; nobody after us sees it");
		return;
	case EXPLAIN_PASS:
		break;
	}
	if (e->redirected) {
		json_write_string(
			out, "next",
			"it is redirected to the DNS gate, dsfw-nft gate on this host, which "
			"answers the names that the network may have");
	} else if (e->to_host) {
		json_write_string(out, "next", next_of_host(e));
	} else if (!is_judged(e)) {
		json_write_string(out, "next",
				  "the network is not managed: Docker's own rules alone decide");
	} else {
		docker = xasprintf("we let it pass, marked 0x%08x as judged, by which our jump in "
				   "DOCKER-USER knows it; Docker's own rules decide next",
				   e->mark);
		json_write_string(out, "next", docker);
	}
}

static void put_audit_note(struct json_writer *out, const char *network)
{
	cleanup(cleanup_free) char *text =
		xasprintf("%s is in AUDIT mode: what its rules refuse passes", network);

	json_write_string(out, NULL, text);
}

#define WHAT_HELPS                                                                                \
	"what helps: one caching resolver for containers and host, a longer IPSET_STALE_TTL, or " \
	"a rule for the networks that these addresses are in"

/* No name would help: it is the port. */
static bool is_refused_dns(const struct explanation *e)
{
	return e->n_steps > 0 && strcmp(e->steps[e->n_steps - 1].chain->kind, "DNS") == 0;
}

/* A rule allows the name, and refuses this address: DNS gave the container another one than the daemon. */
static void put_unknown_note(struct json_writer *out, const struct explain_asked *asked,
			     const struct explain_case *item, const struct explanation *e)
{
	struct allowed_packet packet = {
		.dst = e->dst,
		.name = asked->name,
		.l4proto = item->packet.l4proto,
		.port = e->dport,
		.icmp_type = item->packet.icmp_type,
		.icmp_code = item->packet.icmp_code,
	};
	cleanup(cleanup_free) char *text = NULL;
	size_t index;

	if (is_refused_dns(e) || !allowed_by_name(asked->policy, asked->network, &packet, &index))
		return;
	if (asked->network->dns.gated)
		text = explain_gate_never(asked->network, &e->dst);
	if (asked->network->dns.gated && !text)
		text = xasprintf(
			"names are allowed by egress[%zu]: the network's DNS gate opens their "
			"addresses as containers look them up; ask --to NAME what it does "
			"about a name",
			index);
	if (!text && asked->name)
		text = xasprintf("the name %s is allowed by egress[%zu], this address is not one "
				 "that the daemon knows of it%s; " WHAT_HELPS,
				 asked->name, index,
				 asked->looked_up ? ", but containers of the network looked it up"
						  : "");
	else if (!text)
		text = xasprintf(
			"names are allowed by egress[%zu]: if this is an address of one, it "
			"is not one that the daemon knows; " WHAT_HELPS,
			index);
	json_write_string(out, NULL, text);
}

static void put_notes(struct json_writer *out, const struct explain_asked *asked,
		      const struct explain_cases *cases, const struct explain_case *item,
		      const struct explanation *e)
{
	bool changed = ipaddr_cmp(&e->dst, &item->packet.dst) != 0;

	json_write_open(out, "notes", '[');
	if (is_audited(cases->network))
		put_audit_note(out, cases->network->name);
	for (size_t i = 0; i < item->n_notes; i++)
		json_write_string(out, NULL, item->notes[i]);
	if (e->verdict != EXPLAIN_PASS && asked->network && !e->to_host && !e->oif &&
	    !item->dockside)
		put_unknown_note(out, asked, item, e);
	if (changed && ipaddr_is_loopback(&e->dst))
		json_write_string(out, NULL,
				  "the kernel discards what comes from outside for a loopback "
				  "address, unless the bridge's route_localnet is 1 (IPv4 only)");
	if (e->verdict == EXPLAIN_RESET && changed)
		json_write_string(
			out, NULL,
			"the reset comes from the new destination: the client, which knows "
			"the old one, ignores it and waits");
	if (has_port(item->packet.l4proto) &&
	    explain_is_host(cases->routes, cases->n_routes, &item->packet.dst))
		json_write_string(out, NULL,
				  "a published port would have been translated by Docker before, "
				  "unless its docker-proxy serves containers, as a service of the "
				  "host");
	if (e->oif && strcmp(e->oif, item->packet.iif) == 0)
		json_write_string(out, NULL,
				  "between containers of a network all this holds only where "
				  "net.bridge.bridge-nf-call-iptables and its siblings are 1");
	json_write_close(out, ']');
}

/* A packet that meets no rule has no steps. */
static void put_verdict(struct json_writer *out, const struct explain_packet *packet,
			const struct explanation *e, const char *not_judged)
{
	json_write_open(out, "steps", '[');
	for (size_t i = 0; i < e->n_steps && !not_judged; i++)
		put_step(out, &e->steps[i]);
	json_write_close(out, ']');
	json_write_string(out, "to",
			  e->to_host				       ? "host"
			  : e->oif && strcmp(e->oif, packet->iif) == 0 ? "same network"
								       : "elsewhere");
	json_write_int(out, "mark", not_judged ? 0 : e->mark);
	json_write_string(out, "verdict", not_judged ? "not judged" : verdict_name(e->verdict));
	if (not_judged)
		json_write_string(out, "next", not_judged);
	else
		put_next(out, e);
}

/* We have no word on a network that is not managed. The source is a container's own where the question names one. */
static enum explain_bound put_binding(struct json_writer *out, const struct explain_asked *asked,
				      struct arena *arena, const struct network *network,
				      const struct explain_case *item,
				      const struct explain_world *world)
{
	enum explain_bound bound = EXPLAIN_UNBOUND;
	const char *text = NULL;

	if (!network_managed(network)) {
		json_write_string(out, "bridge_table", NULL);
		return bound;
	}
	bound = explain_bind(arena, network, &world->bind, &item->packet,
			     asked->has_src || world->sender, &text);
	json_write_open(out, "bridge_table", '{');
	json_write_string(out, "verdict", explain_bound_name(bound));
	json_write_string(out, "text", text);
	json_write_close(out, '}');
	return bound;
}

/* The bridge table comes first: then the packet is dropped whatever the other rules say. */
static void drop_before(struct explanation *e)
{
	e->verdict = EXPLAIN_DROP;
	e->n_steps = 0;
	e->mark = 0;
}

static void put_case(struct json_writer *out, const struct explain_asked *asked,
		     struct explain_cases *cases, const struct explain_case *item,
		     const struct explain_world *world)
{
	const struct explain_packet *packet = &item->packet;
	struct explanation e;
	char s[ADDR_STRLEN];

	explain(world->plan, packet, cases->routes, cases->n_routes, &e);
	json_write_open(out, NULL, '{');
	put_addr(out, "source", &packet->src);
	json_write_string(out, "container", world->sender ? world->sender->name : NULL);
	json_write_string(out, "mac", packet->has_mac ? mac_format(packet->mac, s) : NULL);
	json_write_bool(out, "dockside", item->dockside);
	put_addr(out, "destination", &packet->dst);
	json_write_string(out, "to_container", world->receiver ? world->receiver->name : NULL);
	put_protocol(out, packet);
	json_write_string(out, "state", ct_name(e.ct));
	if (put_binding(out, asked, &cases->arena, cases->network, item, world) == EXPLAIN_STRANGE)
		drop_before(&e);
	put_verdict(out, packet, &e, world->not_judged);
	put_notes(out, asked, cases, item, &e);
	json_write_close(out, '}');
}

/* DNS may give containers addresses that the daemon does not know. */
static void put_name_note(struct json_writer *out, const struct explain_asked *asked,
			  const struct explain_cases *cases)
{
	if (!asked->network || !asked->name || asked->network->dns.gated)
		return; /* of a gate it knows those that the gate has told */
	for (size_t i = 0; i < cases->n; i++) {
		const struct explain_packet *from = &cases->items[i].packet;
		const struct allowed_packet packet = {
			.dst = from->dst,
			.name = asked->name,
			.l4proto = from->l4proto,
			.port = from->dport,
			.icmp_type = from->icmp_type,
			.icmp_code = from->icmp_code,
		};
		cleanup(cleanup_free) char *text = NULL;
		size_t index;

		if (!allowed_by_name(asked->policy, asked->network, &packet, &index))
			continue;
		text = xasprintf(
			"%s is allowed by egress[%zu], at the addresses that the daemon "
			"knows; where DNS gives containers others, these are refused: " WHAT_HELPS,
			asked->name, index);
		json_write_string(out, NULL, text);
		return;
	}
}

int explain_answer(const struct explain_question *question, const struct explain_world *world,
		   struct buf *ret_json, struct err *err)
{
	cleanup(explain_cases_free) struct explain_cases cases = { 0 };
	cleanup(cleanup_free) char *name = lower_case(xstrdup(question->to));
	struct json_writer out = { .b = ret_json };
	struct explain_asked asked = { .policy = world->policy };
	int r = explain_ask(question, world, &cases, err);

	if (r < 0)
		return r;
	asked.name = question->to_addr ? world->looked_up_name : world->receiver ? NULL : name;
	asked.looked_up = question->to_addr ? world->looked_up_name : NULL;
	asked.network = cases.network;
	asked.has_src = question->has_src;
	json_write_open(&out, NULL, '{');
	json_write_string(&out, "status", "ok");
	json_write_string(&out, "network", cases.network->name);
	json_write_string(&out, "bridge", cases.network->bridge);
	json_write_bool(&out, "managed", network_managed(cases.network));
	json_write_bool(&out, "audit", is_audited(cases.network));
	json_write_bool(&out, "draining", cases.network->draining);
	json_write_open(&out, "explanations", '[');
	for (size_t i = 0; i < cases.n; i++)
		put_case(&out, &asked, &cases, &cases.items[i], world);
	json_write_close(&out, ']');
	json_write_open(&out, "notes", '[');
	if (cases.network->draining)
		json_write_string(&out, NULL, DRAINS);
	for (size_t i = 0; i < cases.n_notes; i++)
		json_write_string(&out, NULL, cases.notes[i]);
	put_name_note(&out, &asked, &cases);
	json_write_close(&out, ']');
	json_write_close(&out, '}');
	return 0;
}
