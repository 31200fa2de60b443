/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network has these chains for what only it allows; see compile_bind_strange.c. */
#include "compile_bind_network.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"

struct network_binder {
	struct binder b;
	const struct network *network;
	struct extra_sets extra;
};

static void begin_chain(struct network_binder *n, const char *kind)
{
	bind_begin(&n->b, plan_chain_name(&n->b.plan->arena, n->network->stem, kind), BASE_NONE,
		   NULL);
	n->b.chain->stem = n->network->stem;
	n->b.chain->bridge = n->network->bridge;
	n->b.chain->kind = kind;
}

/* Nobody knows the subnet of a network whose policy is lost. */
static bool is_strict(const struct network *network)
{
	return network->bind == BIND_STRICT || network->closed;
}

/* A Docker network may have an IPv6 subnet that the configuration does not name. */
static bool is_any6(const struct network *network)
{
	return !is_strict(network) && !network->has_subnet6;
}

static const struct {
	uint16_t protocol;
	enum bound_field kind;
	enum frame_field from;
	enum frame_field to; /* FIELD_ARP_TARGET: ARP passes to all ports */
} fields[] = {
	{ ETHERTYPE_ARP, BOUND_IPV4, FIELD_ARP_SENDER, FIELD_ARP_TARGET },
	{ ETHERTYPE_IP, BOUND_IPV4, FIELD_SADDR, FIELD_DADDR },
	{ ETHERTYPE_IPV6, BOUND_IPV6, FIELD_SADDR6, FIELD_DADDR6 },
};

static void accept_extra(struct network_binder *n, bool to)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct plan_set *set = n->extra.sets[fields[i].kind];
		struct plan_rule *rule;

		if (!set || (to && fields[i].to == FIELD_ARP_TARGET))
			continue;
		rule = bind_add(&n->b);
		bind_match_protocol(rule, fields[i].protocol);
		bind_match_set(rule, PORT_NONE, to ? fields[i].to : fields[i].from, set);
		bind_accept(&n->b, "extra");
	}
}

static void end_chain(struct network_binder *n, const char *refusing)
{
	bind_add(&n->b);
	bind_go_to(&n->b, refusing);
}

/* ------------------------------------------------------------------ known ports of a network with `extra` */

/* The field is neither the port's own nor one of `extra`. */
static void refuse_foreign(struct network_binder *n, struct plan_rule *rule, enum bound_field kind,
			   enum frame_field field)
{
	bind_match_not_set(rule, PORT_IN, field, n->b.sets->own[kind]);
	if (n->extra.sets[kind])
		bind_match_not_set(rule, PORT_NONE, field, n->extra.sets[kind]);
	bind_go_to(&n->b, CHAIN_NOT_OWN);
}

/* An additional MAC address may go with the port's own addresses. */
static void accept_own(struct network_binder *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct plan_rule *rule = bind_add(&n->b);

		bind_match_protocol(rule, fields[i].protocol);
		bind_match_set(rule, PORT_IN, fields[i].from, n->b.sets->own[fields[i].kind]);
		bind_accept(&n->b, "the container's own");
	}
}

static void emit_extra(struct network_binder *n)
{
	struct plan_rule *rule;

	begin_chain(n, BIND_EXTRA);
	refuse_foreign(n, bind_add(&n->b), BOUND_MAC, FIELD_ETHER_SADDR);
	rule = bind_add(&n->b);
	bind_match_protocol(rule, ETHERTYPE_ARP);
	refuse_foreign(n, rule, BOUND_MAC, FIELD_ARP_SENDER_MAC);
	rule = bind_add(&n->b);
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	refuse_foreign(n, rule, BOUND_TARGET, FIELD_ND_TARGET);
	bind_accept_asked(&n->b, &(struct asked){ .extra = &n->extra });
	accept_extra(n, false);
	if (n->extra.sets[BOUND_MAC]) {
		bind_accept_asked(&n->b, &(struct asked){ .negated = false });
		bind_accept_unspecified(&n->b);
		accept_own(n);
	}
	end_chain(n, CHAIN_NOT_OWN);

	begin_chain(n, BIND_EXTRA_TO);
	accept_extra(n, true);
	end_chain(n, CHAIN_NOT_TO);
}

/* ------------------------------------------------------------------ ports that are not known */

static void refuse_targets(struct network_binder *n, const char *refusing)
{
	struct plan_rule *rule;

	if (is_any6(n->network))
		return;
	rule = bind_add(&n->b);
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	if (!is_strict(n->network)) {
		bind_match_not_prefix(rule, FIELD_ND_TARGET, &bind_link_local);
		bind_match_not_prefix(rule, FIELD_ND_TARGET, &n->network->subnet6);
	}
	if (n->extra.sets[BOUND_TARGET])
		bind_match_not_set(rule, PORT_NONE, FIELD_ND_TARGET, n->extra.sets[BOUND_TARGET]);
	bind_go_to(&n->b, refusing);
}

static void accept_subnet6(struct network_binder *n, enum frame_field field)
{
	if (is_any6(n->network)) {
		/* Table inet dockside asks the routes whether the source is on this bridge. */
		bind_match_protocol(bind_add(&n->b), ETHERTYPE_IPV6);
		bind_accept(&n->b, "the configuration names no IPv6 subnet");
	} else {
		bind_accept_prefix(&n->b, ETHERTYPE_IPV6, field, &n->network->subnet6,
				   "the subnet's");
	}
}

static void emit_unbound(struct network_binder *n)
{
	const struct prefix *subnet = &n->network->subnet;
	bool subnet4 = !is_strict(n->network) && n->network->has_subnet;
	const char *refusing = is_strict(n->network) ? CHAIN_STRICT : CHAIN_NOT_NET;

	begin_chain(n, BIND_UNBOUND);
	refuse_targets(n, refusing);
	accept_extra(n, false);
	if (subnet4) {
		bind_accept_prefix(&n->b, ETHERTYPE_ARP, FIELD_ARP_SENDER, subnet, "the subnet's");
		bind_accept_prefix(&n->b, ETHERTYPE_IP, FIELD_SADDR, subnet, "the subnet's");
	}
	if (!is_strict(n->network)) {
		accept_subnet6(n, FIELD_SADDR6);
		if (!is_any6(n->network))
			bind_accept_prefix(&n->b, ETHERTYPE_IPV6, FIELD_SADDR6, &bind_link_local,
					   "link-local");
	}
	end_chain(n, refusing);

	begin_chain(n, BIND_UNBOUND_TO);
	accept_extra(n, true);
	if (subnet4)
		bind_accept_prefix(&n->b, ETHERTYPE_IP, FIELD_DADDR, subnet, "the subnet's");
	if (!is_strict(n->network))
		accept_subnet6(n, FIELD_DADDR6);
	end_chain(n, CHAIN_NOT_TO_NET);
}

void compile_bind_network(const struct binder *b, const struct network *network)
{
	struct network_binder n = { .b = *b, .network = network };

	n.b.origin = plan_origin(b->plan, NULL,
				 arena_printf(&b->plan->arena, "network %s", network->name),
				 network->loc);
	n.extra = bind_extra_sets(b->plan, network, n.b.origin);
	if (network_has_extra(network))
		emit_extra(&n);
	emit_unbound(&n);
}
