/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two files that init writes: short, with a comment on whatever a newcomer might ask. */
#include <string.h>

#include "dockside/base/text.h"
#include "init_plan.h"

/* ---- network-config.json ---- */

void init_network_text(const struct init_plan *plan, const char *date, struct buf *b)
{
	char subnet[ADDR_STRLEN];

	buf_printf(b,
		   "// The networks whose containers are confined. Written by dsfw-nft init on %s; "
		   "dsfw-nft.conf(5)\n"
		   "// has every key.\n"
		   "{\n"
		   "  \"networks\": [\n",
		   date);
	for (size_t i = 0; i < plan->n_networks; i++) {
		const struct init_network *network = &plan->networks[i];
		const char *comma = i + 1 < plan->n_networks ? "," : "";

		if (network->external)
			buf_printf(b,
				   "    // Others make and remove this one; its bridge and its "
				   "subnets are what Docker says.\n"
				   "    { \"name\": \"%s\", \"external\": true }%s\n",
				   network->name, comma);
		else
			buf_printf(b,
				   "    // dsfw-nft has Docker make this one, with a bridge called "
				   "like it in lower case.\n"
				   "    { \"name\": \"%s\", \"subnet\": \"%s\" }%s\n",
				   network->name, prefix_format(&network->subnet, subnet), comma);
	}
	buf_puts(b, "  ]\n}\n");
}

/* ---- firewall-config.json ---- */

/* Whether an earlier preset has the wildcard as well. */
static bool is_repeated(const struct init_plan *plan, size_t preset, const char *wildcard)
{
	for (size_t i = 0; i < preset; i++)
		for (size_t k = 0; k < plan->presets[i]->wildcards.n; k++)
			if (strcmp(plan->presets[i]->wildcards.items[k], wildcard) == 0)
				return true;
	return false;
}

/* Only the gate knows the names below a wildcard. */
static void put_wildcards(const struct init_plan *plan, size_t i, bool last, struct buf *b)
{
	const struct texts *wildcards = &plan->presets[i]->wildcards;
	bool gated = init_all_gated(plan);

	for (size_t k = 0; k < wildcards->n; k++)
		if (!gated)
			buf_printf(b, "      // Not in it without a DNS gate: %s\n",
				   wildcards->items[k]);
		else if (!is_repeated(plan, i, wildcards->items[k]))
			buf_printf(b, "      \"%s\"%s\n", wildcards->items[k],
				   last && k + 1 == wildcards->n ? "" : ",");
}

static void put_presets(const struct init_plan *plan, struct buf *b)
{
	bool gated = init_all_gated(plan);

	for (size_t i = 0; i < plan->n_presets; i++) {
		const struct preset *preset = plan->presets[i];
		bool last = i + 1 == plan->n_presets;
		bool more = !last || (gated && preset->wildcards.n > 0);

		buf_printf(b, "      \"" PRESET_PREFIX "%s\"%s // %s\n", preset->name,
			   more ? "," : "", preset->about);
		put_wildcards(plan, i, last, b);
	}
}

static const char *ports(const struct init_plan *plan)
{
	for (size_t i = 0; i < plan->n_presets; i++)
		if (plan->presets[i]->http)
			return "80, 443";
	return "443";
}

/* Without it the gate asks the name servers of resolv.conf. */
static void put_upstream(const struct init_plan *plan, struct buf *b)
{
	bool of_docker = plan->resolvers.of_docker;

	if ((!plan->resolvers_given && !of_docker) || !init_any_gated(plan))
		return;
	buf_printf(b,
		   "  // The name servers that the DNS gate asks, as %s.\n"
		   "  \"dns\": { \"upstream\": [",
		   of_docker ? "in /etc/docker/daemon.json" : "given to dsfw-nft init");
	for (size_t i = 0; i < plan->resolvers.n; i++) {
		char addr[ADDR_STRLEN];

		buf_printf(b, "%s\"%s\"", i > 0 ? ", " : "",
			   ipaddr_format(&plan->resolvers.items[i], addr));
	}
	buf_puts(b, "] },\n");
}

static void put_ipsets(const struct init_plan *plan, struct buf *b)
{
	buf_puts(b,
		 "  \"ipsets\": {\n"
		 "    // What containers may reach. Add names, addresses and networks: "
		 "\"example.com\", "
		 "\"192.0.2.7\",\n"
		 "    // \"198.51.100.0/24\". \"preset:NAME\" is the list of names that a service "
		 "documents; dsfw-nft init\n"
		 "    // --list-presets prints all of them.\n"
		 "    \"allowlist\": [\n");
	put_presets(plan, b);
	buf_puts(b, "    ]\n"
		    "  },\n");
}

static void put_dns_rules(const char *indent, const char *destination, struct buf *b)
{
	static const char *const protos[] = { "udp", "tcp" };

	for (size_t i = 0; i < 2; i++)
		buf_printf(b, "%s{ \"proto\": \"%s\", \"ports\": [53]%s, \"comment\": \"DNS\" },\n",
			   indent, protos[i], destination);
}

/* A container without IPv6 asks no name server by IPv6. */
static bool asks(const struct init_network *network, const struct ipaddr *resolver)
{
	return resolver->family == FAMILY_IPV4 || network->ipv6;
}

static void put_loopback(const char *loopback, struct buf *b)
{
	buf_printf(b,
		   "        // Docker asks %s from the host itself, where no rule judges it: names "
		   "resolve, "
		   "and any\n"
		   "        // name can leave as a DNS question. To mend it, give Docker other "
		   "name servers "
		   "(\"dns\" in\n"
		   "        // /etc/docker/daemon.json), and allow UDP and TCP 53 to these here.\n",
		   loopback);
}

/* Docker's resolver in each container asks them by packets that the container sends, or the container itself does. */
static void put_dns(const struct init_plan *plan, const struct init_network *network, struct buf *b)
{
	const struct resolvers *resolvers = &plan->resolvers;
	size_t n = 0;

	for (size_t i = 0; i < resolvers->n; i++) {
		char addr[ADDR_STRLEN], destination[2 * ADDR_STRLEN];

		if (init_is_own(plan, &resolvers->items[i]) || !asks(network, &resolvers->items[i]))
			continue;
		if (n++ == 0)
			buf_printf(b, "        // The name servers of the containers, %s.\n",
				   resolvers->of_docker ? "as in /etc/docker/daemon.json"
							: "as in /etc/resolv.conf");
		snprintf(destination, sizeof(destination), ", \"to\": \"ip\", \"ip\": \"%s\"",
			 ipaddr_format(&resolvers->items[i], addr));
		put_dns_rules("        ", destination, b);
	}
	if (resolvers->loopback[0])
		put_loopback(resolvers->loopback, b);
}

static void put_gate(struct buf *b)
{
	buf_puts(b,
		 "      // The containers' DNS goes to a gate (dsfw-nft-gate.service). It answers "
		 "the names of the rules, and no\n"
		 "      // other ones, and opens their addresses before the containers know "
		 "these.\n"
		 "      \"dns\": {},\n");
}

static void put_egress(const struct init_plan *plan, const struct init_network *network,
		       struct buf *b)
{
	buf_puts(b, "      // What containers may open connections to; the first rule that matches "
		    "decides.\n"
		    "      \"egress\": [\n");
	if (!init_is_gated(plan, network))
		put_dns(plan, network, b);
	buf_printf(b,
		   "        { \"proto\": \"tcp\", \"ports\": [%s], \"to\": \"ipset\", \"ipset\": "
		   "\"allowlist\", \"comment\": \"allowlist\" },\n"
		   "        { \"action\": \"drop\", \"comment\": \"deny the rest\" }\n"
		   "      ],\n",
		   ports(plan));
}

static void put_host(const struct init_plan *plan, const struct init_network *network,
		     struct buf *b)
{
	const struct resolvers *resolvers = &plan->resolvers;
	bool dns = false;

	for (size_t i = 0; !init_is_gated(plan, network) && i < resolvers->n; i++)
		dns = dns || (init_is_own(plan, &resolvers->items[i]) &&
			      asks(network, &resolvers->items[i]));
	buf_puts(b, "      // Which services of the Docker host itself they may use.\n"
		    "      \"host\": [\n");
	if (dns) {
		buf_puts(b,
			 "        // The name server that Docker asks for the containers runs on "
			 "this host.\n");
		put_dns_rules("        ", "", b);
	}
	buf_puts(b, "        { \"action\": \"drop\", \"comment\": \"the host is closed\" }\n"
		    "      ]\n");
}

void init_firewall_text(const struct init_plan *plan, const char *date, struct buf *b)
{
	buf_printf(b,
		   "// What the containers of each network may do. Written by dsfw-nft init on %s; "
		   "dsfw-nft.conf(5) has\n"
		   "// every key. After an edit: dsfw-nft check, then dsfw-nft reload. Rules judge "
		   "new "
		   "connections only.\n"
		   "{\n",
		   date);
	put_upstream(plan, b);
	put_ipsets(plan, b);
	buf_puts(b, "  \"networks\": {\n");
	for (size_t i = 0; i < plan->n_networks; i++) {
		const struct init_network *network = &plan->networks[i];

		buf_printf(b, "    \"%s\": {\n", network->name);
		if (init_is_gated(plan, network))
			put_gate(b);
		put_egress(plan, network, b);
		put_host(plan, network, b);
		buf_printf(b, "    }%s\n", i + 1 < plan->n_networks ? "," : "");
	}
	buf_puts(b, "  }\n}\n");
}
