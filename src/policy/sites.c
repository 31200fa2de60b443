/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/policy/sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/json/json_write.h"
#include "dockside/policy/config.h"

/* ---- the list ---- */

static void free_site(struct site *site)
{
	free((char *)site->name);
	free((char *)site->bridge);
}

void sites_free(struct sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		free_site(&sites->items[i]);
	free(sites->items);
	*sites = (struct sites){ 0 };
}

const struct site *sites_find(const struct sites *sites, const char *name)
{
	for (size_t i = 0; i < sites->n; i++)
		if (strcmp(sites->items[i].name, name) == 0)
			return &sites->items[i];
	return NULL;
}

const struct site *sites_find_bridge(const struct sites *sites, const char *bridge)
{
	for (size_t i = 0; i < sites->n; i++)
		if (strcmp(sites->items[i].bridge, bridge) == 0)
			return &sites->items[i];
	return NULL;
}

static bool same_subnet(bool has_a, const struct prefix *a, const struct ipaddr *gateway_a,
			bool has_b, const struct prefix *b, const struct ipaddr *gateway_b)
{
	if (!has_a || !has_b)
		return has_a == has_b;
	return prefix_cmp(a, b) == 0 && ipaddr_cmp(gateway_a, gateway_b) == 0;
}

static bool same_site(const struct site *a, const struct site *b)
{
	return strcmp(a->bridge, b->bridge) == 0 &&
	       same_subnet(a->has_subnet, &a->subnet, &a->gateway, b->has_subnet, &b->subnet,
			   &b->gateway) &&
	       same_subnet(a->has_subnet6, &a->subnet6, &a->gateway6, b->has_subnet6, &b->subnet6,
			   &b->gateway6);
}

bool sites_vacate(struct sites *sites, const char *bridge, const char *name,
		  const struct policy *policy)
{
	const struct site *before = sites_find_bridge(sites, bridge);
	bool wanted;

	if (!before || strcmp(before->name, name) == 0)
		return false;
	wanted = !policy || sites_wanted(policy, before->name);
	sites_forget(sites, before->name);
	return wanted;
}

bool sites_put(struct sites *sites, const struct site *site)
{
	bool taken = sites_vacate(sites, site->bridge, site->name, NULL);
	struct site *old = (struct site *)sites_find(sites, site->name);
	struct site copy = *site;

	if (old && same_site(old, site))
		return taken;
	copy.name = xstrdup(site->name);
	copy.bridge = xstrdup(site->bridge);
	if (old) {
		free_site(old);
		*old = copy;
		return true;
	}
	sites->items = xreallocarray(sites->items, sites->n + 1, sizeof(*sites->items));
	sites->items[sites->n++] = copy;
	return true;
}

bool sites_wanted(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		if (policy->networks[i].external &&
		    (!name || strcmp(policy->networks[i].name, name) == 0))
			return true;
	return false;
}

void sites_forget(struct sites *sites, const char *name)
{
	struct site *site = (struct site *)sites_find(sites, name);

	if (!site)
		return;
	free_site(site); /* which name may be of */
	*site = sites->items[--sites->n];
}

/* ---- into a policy ---- */

/* Undoes what Docker said: bridge and subnets are the files' again. */
static void displace(struct policy *policy, struct network *network)
{
	network->site_trouble = NULL;
	network->placed = network->bridge_given;
	if (!network->bridge_given)
		network->bridge =
			arena_printf(&policy->arena, ":%zu", (size_t)(network - policy->networks));
	network->has_subnet = network->subnet_loc.src != NULL;
	network->has_subnet6 = network->subnet6_loc.src != NULL;
	if (network->has_subnet && !network->gateway_given)
		network->gateway = prefix_first_host(&network->subnet);
	if (network->has_subnet6)
		network->gateway6 = prefix_first_host(&network->subnet6);
}

/* Another network of the files that is there. */
static const struct network *neighbour_on(const struct policy *policy,
					  const struct network *network, const char *bridge)
{
	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		if (&policy->networks[i] != network &&
		    strcmp(policy->networks[i].bridge, bridge) == 0)
			return &policy->networks[i];
	return NULL;
}

static void place_bridge(struct policy *policy, struct network *network, const struct site *site)
{
	const struct network *other = neighbour_on(policy, network, site->bridge);

	if (!network_bridge_valid(site->bridge)) {
		network->site_trouble = arena_printf(
			&policy->arena,
			"rules cannot go by the name of its bridge in Docker, %.40s", site->bridge);
	} else if (other) {
		network->site_trouble =
			arena_printf(&policy->arena, "its bridge in Docker, %s, is network %s's",
				     site->bridge, other->name);
	} else {
		network->bridge = arena_strdup(&policy->arena, site->bridge);
		network->placed = true;
	}
}

/* A gateway that is not given is Docker's, too, if the subnet is the same. */
static void place_subnets(struct network *network, const struct site *site)
{
	if (site->has_subnet && !network->has_subnet) {
		network->has_subnet = true;
		network->subnet = site->subnet;
		network->gateway = site->gateway;
	} else if (site->has_subnet && !network->gateway_given &&
		   prefix_cmp(&network->subnet, &site->subnet) == 0) {
		network->gateway = site->gateway;
	}
	if (site->has_subnet6 && !network->has_subnet6) {
		network->has_subnet6 = true;
		network->subnet6 = site->subnet6;
		network->gateway6 = site->gateway6;
	} else if (site->has_subnet6 && prefix_cmp(&network->subnet6, &site->subnet6) == 0) {
		network->gateway6 = site->gateway6;
	}
}

void sites_apply(const struct sites *sites, struct policy *policy)
{
	size_t n = policy->n_networks - policy->n_draining;

	for (size_t i = 0; i < n; i++)
		if (policy->networks[i].external)
			displace(policy, &policy->networks[i]);
	for (size_t i = 0; i < n; i++) {
		struct network *network = &policy->networks[i];
		const struct site *site =
			network->external ? sites_find(sites, network->name) : NULL;

		if (!site)
			continue;
		if (!network->bridge_given)
			place_bridge(policy, network, site);
		if (network->placed && strcmp(network->bridge, site->bridge) == 0)
			place_subnets(network, site);
	}
}

/* ---- the file ---- */

static void put_subnet(struct json_writer *out, const char *key, const char *gateway_key,
		       const struct prefix *subnet, const struct ipaddr *gateway)
{
	char text[ADDR_STRLEN];

	json_write_string(out, key, prefix_format(subnet, text));
	json_write_string(out, gateway_key, ipaddr_format(gateway, text));
}

bool sites_write(const struct sites *sites, const struct policy *policy, struct buf *b)
{
	struct json_writer out = { .b = b };
	bool any = false;

	json_write_open(&out, NULL, '[');
	for (size_t i = 0; i < sites->n; i++) {
		const struct site *site = &sites->items[i];

		if (!sites_wanted(policy, site->name))
			continue;
		any = true;
		json_write_open(&out, NULL, '{');
		json_write_string(&out, "name", site->name);
		json_write_string(&out, "bridge", site->bridge);
		if (site->has_subnet)
			put_subnet(&out, "subnet", "gateway", &site->subnet, &site->gateway);
		if (site->has_subnet6)
			put_subnet(&out, "subnet6", "gateway6", &site->subnet6, &site->gateway6);
		json_write_close(&out, '}');
	}
	json_write_close(&out, ']');
	buf_putc(b, '\n');
	return any;
}

/* False: there is one, and it makes no sense. */
static bool take_subnet(const struct json_node *node, const char *key, const char *gateway_key,
			enum family family, bool *ret_has, struct prefix *ret_subnet,
			struct ipaddr *ret_gateway)
{
	const struct json_node *subnet = json_get(node, key);
	const char *text = json_text(node, key, ""), *gateway = json_text(node, gateway_key, "");

	*ret_has = subnet != NULL;
	return !subnet || (prefix_parse(text, strlen(text), ret_subnet) &&
			   ipaddr_parse(gateway, strlen(gateway), ret_gateway) &&
			   ret_subnet->addr.family == family && ret_gateway->family == family);
}

static bool take_site(const struct json_node *node, struct sites *sites)
{
	struct site site = { 0 };

	if (node->kind != JSON_OBJECT)
		return false;
	site.name = json_text(node, "name", "");
	site.bridge = json_text(node, "bridge", "");
	if (!site.name[0] || !site.bridge[0] || strlen(site.name) > NETWORK_NAME_MAX ||
	    !take_subnet(node, "subnet", "gateway", FAMILY_IPV4, &site.has_subnet, &site.subnet,
			 &site.gateway) ||
	    !take_subnet(node, "subnet6", "gateway6", FAMILY_IPV6, &site.has_subnet6, &site.subnet6,
			 &site.gateway6))
		return false;
	sites_put(sites, &site);
	return true;
}

int sites_read(const char *text, size_t len, struct sites *ret_sites, struct err *err)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = { xstrdup("external networks"), xcalloc(len + 1, 1), len };
	struct diags diags = { 0 };
	struct sites sites = { 0 };
	bool good;

	if (len > 0)
		memcpy(src.text, text, len);
	good = json_parse(&src, &tree, &diags) && tree.root->kind == JSON_ARRAY;
	for (size_t i = 0; good && i < tree.root->u.children.n; i++)
		good = take_site(&tree.root->u.children.items[i], &sites);
	diags_free(&diags);
	src_free(&src);
	if (good) {
		*ret_sites = sites;
		return 0;
	}
	sites_free(&sites);
	return err_set(err, EBADMSG, "it does not say what a program of this version writes there");
}
