/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/ctl/edit_reach.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "edit_ipset.h"

void target_read(const char *s, struct target *ret_target)
{
	*ret_target = (struct target){ .text = edit_member_text(s) };
	if (!prefix_parse(s, strlen(s), &ret_target->prefix))
		ret_target->name = ret_target->text;
}

bool target_is_pattern(const struct target *target)
{
	return target->name && strncmp(target->name, "*.", 2) == 0;
}

void target_free(struct target *target)
{
	free(target->text);
}

bool target_read_port(const struct json_node *node, struct portrange *ret)
{
	if (node->kind == JSON_STRING)
		return portrange_parse(node->u.string.s, node->u.string.len, ret);
	if (node->kind != JSON_INT || node->u.integer < 1 || node->u.integer > UINT16_MAX)
		return false;
	ret->lo = ret->hi = (uint16_t)node->u.integer;
	return true;
}

struct json_node target_read_ports(const struct request *request, enum proto *ret_proto,
				   struct json_node *ret_default)
{
	const struct json_node *given = request_field(request, "ports");
	const char *proto = request_string(request, "proto");
	struct json_node ports = { .kind = JSON_ARRAY };

	*ret_proto = proto && strcmp(proto, "udp") == 0 ? PROTO_UDP : PROTO_TCP;
	if (given)
		return *given;
	*ret_default = (struct json_node){ .kind = JSON_INT, .u.integer = ALLOW_PORT_DEFAULT };
	ports.u.children.items = ret_default;
	ports.u.children.n = 1;
	return ports;
}

void view_make(const struct policy *policy, const struct network *network, struct view *ret_view)
{
	*ret_view = (struct view){
		.policy = policy,
		.network = network,
		.gone = xcalloc(network->n_egress + 1, sizeof(bool)),
		.left = xcalloc(policy->n_ipsets + 1, sizeof(bool)),
	};
}

void view_free(struct view *view)
{
	free(view->gone);
	free(view->left);
}

static enum about about_prefix(const struct prefix *prefix, const struct target *target)
{
	if (target->name)
		return ABOUT_PERHAPS;
	if (prefix_cmp(prefix, &target->prefix) == 0)
		return ABOUT_EXACTLY;
	if (prefix_covers(prefix, &target->prefix))
		return ABOUT_MORE;
	return prefix_covers(&target->prefix, prefix) ? ABOUT_OVERLAP : ABOUT_NOT;
}

/* Whether the target is an address that the name has; where nobody here tells what names have, it may be. */
static enum about about_name_of(const char *name, const struct target *target)
{
	/* It only looks. */
	const struct name *known =
		target->names ? names_find((struct names *)target->names, name) : NULL;

	if (!known)
		return ABOUT_PERHAPS;
	for (size_t i = 0; i < known->n_addrs; i++)
		if (!known->addrs[i].never &&
		    ipaddr_cmp(&known->addrs[i].addr, &target->prefix.addr) == 0)
			return ABOUT_MORE;
	return ABOUT_NOT;
}

static enum about about_hostname(const char *hostname, const struct target *target)
{
	if (!target->name)
		return about_name_of(hostname, target);
	if (strcmp(hostname, target->name) == 0)
		return ABOUT_EXACTLY;
	return target_is_pattern(target) && pattern_has(target->name, hostname) ? ABOUT_OVERLAP
										: ABOUT_NOT;
}

/* Only the gate knows which addresses its names have. */
static enum about about_pattern(const char *pattern, const struct target *target)
{
	if (!target->name)
		return ABOUT_PERHAPS;
	if (strcmp(pattern, target->name) == 0)
		return ABOUT_EXACTLY;
	if (pattern_has(pattern, target->name))
		return ABOUT_MORE;
	return target_is_pattern(target) && pattern_has(target->name, pattern) ? ABOUT_OVERLAP
									       : ABOUT_NOT;
}

/* The larger one. By a member that is the target, an ipset is about more than that; if the member is to go, it does not
 * count. */
static enum about add_member(enum about so_far, enum about member, bool left)
{
	if (member == ABOUT_EXACTLY)
		member = left ? ABOUT_NOT : ABOUT_MORE;
	return member > so_far ? member : so_far;
}

static enum about about_ipset(const struct ipset *ipset, const struct target *target, bool left)
{
	enum about about = ABOUT_NOT;

	for (size_t i = 0; i < ipset->n_hostnames && about < ABOUT_MORE; i++)
		about = add_member(about, about_hostname(ipset->hostnames[i], target), left);
	for (size_t i = 0; i < ipset->n_patterns && about < ABOUT_MORE; i++)
		about = add_member(about, about_pattern(ipset->patterns[i], target), left);
	for (size_t i = 0; i < ipset->n_prefixes && about < ABOUT_MORE; i++)
		about = add_member(about, about_prefix(&ipset->prefixes[i], target), left);
	return about;
}

enum about view_about(const struct view *view, size_t i, const struct target *target)
{
	const struct rule *rule = &view->network->egress[i];

	if (view->gone[i])
		return ABOUT_NOT;
	switch (rule->to) {
	case DEST_ALL:
		return ABOUT_ALL;
	case DEST_CIDR:
	case DEST_IP:
		return about_prefix(&rule->cidr, target);
	case DEST_HOSTNAME:
		return about_hostname(rule->hostname, target);
	case DEST_PATTERN:
		return about_pattern(rule->hostname, target);
	case DEST_IPSET:
		return about_ipset(&view->policy->ipsets[rule->ipset], target,
				   view->left[rule->ipset]);
	}
	abort();
}

enum cover {
	COVERS_NOTHING,
	COVERS_SOME,
	COVERS_ALL,
};

static enum cover covers(const struct rule *rule, enum proto proto, const struct portrange *ports)
{
	enum cover cover = COVERS_NOTHING;

	if (rule->proto == PROTO_ANY)
		return COVERS_ALL;
	if (rule->proto != proto)
		return COVERS_NOTHING;
	if (rule->n_ports == 0)
		return COVERS_ALL;
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct portrange *range = &rule->ports[i];

		if (range->lo <= ports->lo && ports->hi <= range->hi)
			return COVERS_ALL;
		if (range->lo <= ports->hi && ports->lo <= range->hi)
			cover = COVERS_SOME;
	}
	return cover;
}

size_t view_decide(const struct view *view, const struct target *target, enum proto proto,
		   const struct portrange *ports)
{
	for (size_t i = 0; i < view->network->n_egress; i++) {
		const struct rule *rule = &view->network->egress[i];
		enum about about = view_about(view, i, target);
		enum cover cover = covers(rule, proto, ports);

		if (about <= ABOUT_PERHAPS || cover == COVERS_NOTHING)
			continue;
		if (rule->action == ACTION_DROP || (about != ABOUT_OVERLAP && cover == COVERS_ALL))
			return i;
	}
	return view->network->n_egress;
}

static bool is_dns(const struct rule *rule)
{
	return rule->n_ports == 1 && rule->ports[0].lo == PORT_DNS && rule->ports[0].hi == PORT_DNS;
}

size_t view_reached(const struct view *view, const struct target *target, enum about least)
{
	bool tcp = true, udp = true; /* are not dropped so far */

	for (size_t i = 0; i < view->network->n_egress; i++) {
		const struct rule *rule = &view->network->egress[i];
		enum about about = view_about(view, i, target);
		bool of_tcp = rule->proto == PROTO_TCP || rule->proto == PROTO_ANY;
		bool of_udp = rule->proto == PROTO_UDP || rule->proto == PROTO_ANY;

		if (about < least)
			continue;
		if (rule->action == ACTION_ALLOW && ((of_tcp && tcp) || (of_udp && udp)) &&
		    !((about == ABOUT_ALL || about == ABOUT_PERHAPS) && is_dns(rule)))
			return i;
		if (rule->action == ACTION_ALLOW || about <= ABOUT_OVERLAP || rule->n_ports > 0)
			continue;
		tcp = tcp && !of_tcp;
		udp = udp && !of_udp;
	}
	return tcp || udp ? view->network->n_egress : SIZE_MAX;
}
