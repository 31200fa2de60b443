/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that cannot do what they say, because of the way that packets take: egress rules judge what the host
 * forwards, so they never see packets to the container itself, to the host or to the same bridge; and Docker's
 * own rules keep its networks apart, whatever ours allow.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/sorted.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

enum reach {
	REACH_FORWARDED,
	REACH_SELF,    /* the container's own loopback */
	REACH_LINK,    /* link-local IPv6: routers do not forward it */
	REACH_HOST,    /* a network's gateway */
	REACH_SAME,    /* the network's own subnet */
	REACH_NETWORK, /* another network's subnet */
};

/* Subnets are disjoint: config_parse() refuses others. */
struct subnet {
	struct prefix prefix;
	struct ipaddr gateway;
	const struct network *network;
};

struct checker {
	const struct policy *policy;
	struct diags *diags;
	struct subnet *subnets; /* sorted */
	size_t n_subnets;
	bool *ipset_seen;
};

/* The place of a destination. */
struct place {
	enum reach reach;
	const struct network *network; /* REACH_HOST, REACH_SAME, REACH_NETWORK: whose subnet */
	char text[ADDR_STRLEN];
};

/* ---- where addresses are ---- */

static int subnet_cmp(const void *a, const void *b)
{
	const struct subnet *x = a, *y = b;

	return prefix_cmp(&x->prefix, &y->prefix);
}

static void list_subnets(struct checker *c)
{
	c->subnets = xcalloc(2 * c->policy->n_networks + 1, sizeof(*c->subnets));
	for (size_t i = 0; i < c->policy->n_networks; i++) {
		const struct network *network = &c->policy->networks[i];

		if (network->has_subnet)
			c->subnets[c->n_subnets++] =
				(struct subnet){ network->subnet, network->gateway, network };
		if (network->has_subnet6)
			c->subnets[c->n_subnets++] =
				(struct subnet){ network->subnet6, network->gateway6, network };
	}
	qsort(c->subnets, c->n_subnets, sizeof(*c->subnets), subnet_cmp);
}

/* The subnet that has all of prefix, or NULL. */
static const struct subnet *find_subnet(const struct checker *c, const struct prefix *prefix)
{
	const struct subnet key = { .prefix = *prefix };
	size_t n = sorted_up_to(&SORTED_ARRAY(c->subnets, c->n_subnets), &key, subnet_cmp);

	return n > 0 && prefix_covers(&c->subnets[n - 1].prefix, prefix) ? &c->subnets[n - 1]
									 : NULL;
}

static bool is_loopback(const struct prefix *prefix)
{
	/* The only loopback prefix of IPv6 has a length of 128. */
	return ipaddr_is_loopback(&prefix->addr) && prefix->len >= 8;
}

static bool is_link_local6(const struct prefix *prefix)
{
	const uint8_t *b = prefix->addr.b;

	return prefix->addr.family == FAMILY_IPV6 && b[0] == 0xfe && b[1] >> 6 == 2 &&
	       prefix->len >= 10;
}

static void locate(const struct checker *c, const struct network *own, const struct prefix *prefix,
		   struct place *ret)
{
	const struct subnet *subnet = find_subnet(c, prefix);

	*ret = (struct place){ .reach = REACH_FORWARDED };
	if (prefix_is_address(prefix))
		ipaddr_format(&prefix->addr, ret->text);
	else
		prefix_format(prefix, ret->text);
	if (is_loopback(prefix))
		ret->reach = REACH_SELF;
	else if (is_link_local6(prefix))
		ret->reach = REACH_LINK;
	if (!subnet)
		return;
	ret->network = subnet->network;
	if (prefix_is_address(prefix) && ipaddr_cmp(&prefix->addr, &subnet->gateway) == 0)
		ret->reach = REACH_HOST;
	else
		ret->reach = subnet->network == own ? REACH_SAME : REACH_NETWORK;
}

/* Names that lead to the same places: Docker's for the host, and RFC 6761's. */
static enum reach name_reach(const char *name)
{
	size_t len = strlen(name);

	if (strcmp(name, "host.docker.internal") == 0 ||
	    strcmp(name, "gateway.docker.internal") == 0)
		return REACH_HOST;
	if (strcmp(name, "localhost") == 0 ||
	    (len > 10 && strcmp(name + len - 10, ".localhost") == 0))
		return REACH_SELF;
	return REACH_FORWARDED;
}

/* ---- egress rules ---- */

#define USE_HOST \
	"for a service of the Docker host write a rule under \"host\", without a destination"

static struct diag *warn(struct checker *c, const struct network *network, const char *list,
			 size_t index, struct loc loc, const char *message)
{
	cleanup(cleanup_free) char *pointer =
		xasprintf("/networks/%s/%s/%zu", network->name, list, index);

	return diag_add(c->diags, SEVERITY_WARNING, loc, pointer, "%s", message);
}

/* Why nothing to such a place is forwarded, and what to write instead; NULL where it is. */
static const char *never_forwarded(enum reach reach, const char **ret_hint)
{
	switch (reach) {
	case REACH_SELF:
		*ret_hint = USE_HOST;
		return "the container's own loopback, and nothing for it leaves the container";
	case REACH_LINK:
		*ret_hint = "leave it out";
		return "link-local, and nothing for it is forwarded";
	case REACH_HOST:
		*ret_hint = USE_HOST;
		return "the Docker host itself, and egress rules judge what the host forwards";
	case REACH_SAME:
		*ret_hint = "leave it out: whatever egress rules say, only the dockside container "
			    "opens connections there";
		return "in the network's own subnet, and egress rules judge what leaves it";
	case REACH_FORWARDED:
	case REACH_NETWORK:
		break;
	}
	return NULL;
}

static bool is_docker_resolver(const char *text)
{
	return strcmp(text, "127.0.0.11") == 0;
}

static void warn_never(struct checker *c, const struct network *network, const struct rule *rule,
		       const char *text, enum reach reach)
{
	const char *hint = NULL, *why = never_forwarded(reach, &hint);
	cleanup(cleanup_free) char *message = NULL;

	if (!why)
		return;
	if (is_docker_resolver(text))
		hint = "the resolver there asks the host's name servers, over the bridge: allow "
		       "{\"proto\": \"udp\", \"ports\": [53], \"to\": \"ip\", \"ip\": …} with "
		       "their address";
	message = xasprintf("this rule never matches: %s is %s", text, why);
	warn(c, network, "egress", rule->index, rule->loc, message)->hint = xstrdup(hint);
}

/* Docker drops it although we would allow it. */
static void warn_kept_apart(struct checker *c, const struct network *network,
			    const struct rule *rule, const struct place *place)
{
	cleanup(cleanup_free) char *message = NULL;

	if (place->reach != REACH_NETWORK || rule->action != ACTION_ALLOW)
		return;
	message =
		xasprintf("Docker drops what this rule allows: %s is in the subnet of network %s, "
			  "and Docker keeps its networks apart",
			  place->text, place->network->name);
	warn(c, network, "egress", rule->index, rule->loc, message)->hint =
		xstrdup("have both containers on one network");
}

static void check_dest(struct checker *c, const struct network *network, const struct rule *rule)
{
	struct place place;

	switch (rule->to) {
	case DEST_CIDR:
	case DEST_IP:
		locate(c, network, &rule->cidr, &place);
		warn_never(c, network, rule, place.text, place.reach);
		warn_kept_apart(c, network, rule, &place);
		break;
	case DEST_HOSTNAME:
		warn_never(c, network, rule, rule->hostname, name_reach(rule->hostname));
		break;
	case DEST_IPSET:
		c->ipset_seen[rule->ipset] = true;
		break;
	case DEST_ALL:
	case DEST_PATTERN:
		break;
	}
}

/* ---- ipsets ---- */

static void warn_entry(struct checker *c, const struct ipset *ipset, const char *text,
		       enum reach reach)
{
	const char *hint = NULL, *why = never_forwarded(reach, &hint);
	cleanup(cleanup_free) char *pointer = xasprintf("/ipsets/%s", ipset->name);

	if (why)
		diag_add(c->diags, SEVERITY_WARNING, ipset->loc, pointer,
			 "no rule ever matches its entry %s: it is %s", text, why)
			->hint = xstrdup(hint);
}

/* Its entries have no place of their own any more. Subnets are no matter here: networks share ipsets. */
static void check_ipset(struct checker *c, const struct ipset *ipset)
{
	struct place place;

	for (size_t i = 0; i < ipset->n_prefixes; i++) {
		locate(c, NULL, &ipset->prefixes[i], &place);
		warn_entry(c, ipset, place.text, place.reach);
	}
	for (size_t i = 0; i < ipset->n_hostnames; i++)
		warn_entry(c, ipset, ipset->hostnames[i], name_reach(ipset->hostnames[i]));
}

/* ---- nat rules ---- */

static void check_nat(struct checker *c, const struct network *network, const struct nat_rule *rule)
{
	struct prefix target = prefix_of_address(&rule->to_ip);
	cleanup(cleanup_free) char *message = NULL;
	struct place place;

	if (rule->to_host)
		return;
	locate(c, network, &target, &place);
	if (place.reach == REACH_NETWORK)
		message = xasprintf(
			"this leads nowhere: %s is in the subnet of network %s, and Docker "
			"keeps its networks apart",
			place.text, place.network->name);
	else if (place.reach == REACH_SAME && !network->audit)
		message =
			xasprintf("this leads nowhere: %s is in the network's own subnet, and its "
				  "containers do not reach each other",
				  place.text);
	if (message)
		warn(c, network, "nat", rule->index, rule->loc, message)->hint = xstrdup(
			"have it listen outside of Docker's networks, or on the Docker host, and "
			"give an address there");
}

/* ---- DNS ---- */

/* The port that containers' questions have when egress rules see them. */
static uint16_t dns_port(const struct network *network)
{
	for (size_t i = 0; i < network->n_nat; i++)
		if (network->nat[i].proto == PROTO_UDP && network->nat[i].match_dport == PORT_DNS)
			return network->nat[i].to_port;
	return PORT_DNS;
}

/* A name that is allowed with all ports is hardly a name server: its rule would give the port. */
static bool may_be_name_server(const struct checker *c, const struct network *network,
			       const struct rule *rule)
{
	struct place place;

	switch (rule->to) {
	case DEST_ALL:
		return true;
	case DEST_CIDR:
	case DEST_IP:
		locate(c, network, &rule->cidr, &place);
		return place.reach == REACH_FORWARDED;
	case DEST_HOSTNAME:
	case DEST_PATTERN:
		return rule->n_ports > 0;
	case DEST_IPSET:
		return rule->n_ports > 0 || c->policy->ipsets[rule->ipset].n_prefixes > 0;
	}
	return false;
}

/* A name that a rule allows, or NULL. */
static const char *allowed_name(const struct checker *c, const struct rule *rule)
{
	const struct ipset *ipset;

	if (rule->action != ACTION_ALLOW)
		return NULL;
	if (rule->to == DEST_HOSTNAME)
		return rule->hostname;
	if (rule->to != DEST_IPSET)
		return NULL;
	ipset = &c->policy->ipsets[rule->ipset];
	return ipset->n_hostnames > 0 ? ipset->hostnames[0] : NULL;
}

/* Names that are allowed, and nothing by which containers learn their addresses. */
static void check_dns(struct checker *c, const struct network *network)
{
	const struct rule *first = NULL;
	uint16_t port = dns_port(network);
	cleanup(cleanup_free) char *message = NULL;

	if (network->audit || network->dns.gated || !network_denies(network))
		return;
	for (size_t i = 0; i < network->n_egress; i++) {
		if (rule_allows_udp(&network->egress[i], port) &&
		    may_be_name_server(c, network, &network->egress[i]))
			return;
		if (!first && allowed_name(c, &network->egress[i]))
			first = &network->egress[i];
	}
	/* Host rules that allow it mean a name server on the host. */
	for (size_t i = 0; i < network->n_host_rules; i++)
		if (rule_allows_udp(&network->host_rules[i], port))
			return;
	if (!first)
		return;
	message = xasprintf(
		"containers cannot look up %s, which this rule allows: nothing allows DNS",
		allowed_name(c, first));
	warn(c, network, "egress", first->index, first->loc, message)->hint =
		xasprintf("write before it {\"proto\": \"udp\", \"ports\": [%u], \"to\": \"ip\", "
			  "\"ip\": …} with the address of their name server, unless that is on the "
			  "Docker host",
			  port);
}

/* ---- all ---- */

void policy_check_reach(const struct policy *policy, struct diags *diags)
{
	struct checker c = { .policy = policy, .diags = diags };

	list_subnets(&c);
	c.ipset_seen = xcalloc(policy->n_ipsets + 1, sizeof(*c.ipset_seen));
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress; k++)
			check_dest(&c, network, &network->egress[k]);
		for (size_t k = 0; k < network->n_nat; k++)
			check_nat(&c, network, &network->nat[k]);
		check_dns(&c, network);
	}
	for (size_t i = 0; i < policy->n_ipsets; i++)
		if (c.ipset_seen[i])
			check_ipset(&c, &policy->ipsets[i]);
	free(c.ipset_seen);
	free(c.subnets);
}
