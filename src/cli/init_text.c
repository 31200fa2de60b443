/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two files that init writes: short, with a comment on whatever a newcomer might ask. */
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

static void put_presets(const struct init_plan *plan, struct buf *b)
{
	for (size_t i = 0; i < plan->n_presets; i++) {
		const struct preset *preset = plan->presets[i];

		buf_printf(b, "      \"" PRESET_PREFIX "%s\"%s // %s\n", preset->name,
			   i + 1 < plan->n_presets ? "," : "", preset->about);
		for (size_t k = 0; k < preset->wildcards.n; k++)
			buf_printf(b, "      // Not in it without a DNS gate: %s\n",
				   preset->wildcards.items[k]);
	}
}

static const char *ports(const struct init_plan *plan)
{
	for (size_t i = 0; i < plan->n_presets; i++)
		if (plan->presets[i]->http)
			return "80, 443";
	return "443";
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

static const char *resolvers_source(const struct init_plan *plan,
				    const struct init_network *network)
{
	const struct resolvers *resolvers = init_resolvers(plan, network);

	if (plan->resolvers_given)
		return "as given to dsfw-nft init";
	if (init_is_default(network) && plan->default_chosen)
		return "which Docker takes where the host names none";
	return resolvers->of_docker ? "as in /etc/docker/daemon.json" : "as in /etc/resolv.conf";
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
	const struct resolvers *resolvers = init_resolvers(plan, network);
	size_t n = 0;

	for (size_t i = 0; i < resolvers->n; i++) {
		char addr[ADDR_STRLEN], destination[2 * ADDR_STRLEN];

		if (init_is_own(plan, &resolvers->items[i]) || !asks(network, &resolvers->items[i]))
			continue;
		if (n++ == 0)
			buf_printf(b, "        // The name servers of the containers, %s.\n",
				   resolvers_source(plan, network));
		snprintf(destination, sizeof(destination), ", \"to\": \"ip\", \"ip\": \"%s\"",
			 ipaddr_format(&resolvers->items[i], addr));
		put_dns_rules("        ", destination, b);
	}
	if (resolvers->loopback[0])
		put_loopback(resolvers->loopback, b);
}

static void put_egress(const struct init_plan *plan, const struct init_network *network,
		       struct buf *b)
{
	buf_puts(b, "      // What containers may open connections to; the first rule that matches "
		    "decides.\n"
		    "      \"egress\": [\n");
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
	const struct resolvers *resolvers = init_resolvers(plan, network);
	bool dns = false;

	for (size_t i = 0; i < resolvers->n; i++)
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
	put_ipsets(plan, b);
	buf_puts(b, "  \"networks\": {\n");
	for (size_t i = 0; i < plan->n_networks; i++) {
		const struct init_network *network = &plan->networks[i];

		buf_printf(b, "    \"%s\": {\n", network->name);
		put_egress(plan, network, b);
		put_host(plan, network, b);
		buf_printf(b, "    }%s\n", i + 1 < plan->n_networks ? "," : "");
	}
	buf_puts(b, "  }\n}\n");
}
