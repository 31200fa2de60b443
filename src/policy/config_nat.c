/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NAT rules of one network in firewall-config.
 */
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"

static bool read_nat_proto(struct reader *r, const struct field *field,
			   const struct json_node *value, void *object)
{
	static const enum proto protos[] = { PROTO_TCP, PROTO_UDP };
	const char *words[] = { proto_name(PROTO_TCP), proto_name(PROTO_UDP) };
	struct nat_rule *rule = object;
	size_t i;

	if (strcmp(value->u.string.s, proto_name(PROTO_ICMP)) == 0)
		return value_error_hint(r, field, value, xstrdup("ICMP has no ports"));
	if (!read_word(r, field, value, words, ARRAY_SIZE(words), &i))
		return false;
	rule->proto = protos[i];
	return true;
}

static bool read_match_dport(struct reader *r, const struct field *field,
			     const struct json_node *value, void *object)
{
	struct nat_rule *rule = object;

	if (!read_port(r, field, value, &rule->match_dport))
		return false;
	rule->match_dport_loc = value->loc;
	return true;
}

static bool read_to_port(struct reader *r, const struct field *field, const struct json_node *value,
			 void *object)
{
	struct nat_rule *rule = object;

	return read_port(r, field, value, &rule->to_port);
}

static bool read_to_ip(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object)
{
	struct nat_rule *rule = object;

	if (hostname_length(value->u.string.s, value->u.string.len))
		return value_error_hint(r, field, value, xstrdup("a hostname goes in \"to_host\""));
	return read_address(r, field, value, &rule->to_ip);
}

static bool read_to_host(struct reader *r, const struct field *field, const struct json_node *value,
			 void *object)
{
	struct nat_rule *rule = object;
	struct endpoint endpoint;

	/* An address or a name; read_endpoint() would take a network too. */
	if (strchr(value->u.string.s, '/') && !strstr(value->u.string.s, "://"))
		return value_error_hint(r, field, value,
					xstrdup("the target is one host, not a network"));
	if (is_like_pattern(value->u.string.s))
		return value_error_hint(r, field, value,
					xstrdup("a wildcard has no address: name one host"));
	if (!read_endpoint(r, field, value, &endpoint))
		return false;
	rule->to_host = endpoint.name;
	if (!endpoint.name)
		rule->to_ip = endpoint.prefix.addr;
	return true;
}

static bool read_nat_comment(struct reader *r, const struct field *field,
			     const struct json_node *value, void *object)
{
	struct nat_rule *rule = object;

	(void)field;
	return read_comment(r, value, &rule->comment);
}

enum {
	NAT_PROTO,
	NAT_MATCH_DPORT,
	NAT_TO_IP,
	NAT_TO_HOST,
	NAT_TO_PORT,
	NAT_COMMENT,
	NAT_OLD_DPORT,
	NAT_OLD_IP,
	NAT_OLD_HOST,
	NAT_OLD_PORT,
	NAT_FIELDS,
};

static const struct field nat_fields[NAT_FIELDS] = {
	[NAT_PROTO] = { .key = "proto",
			.allowed = "\"tcp\" or \"udp\"",
			.kinds = KIND(JSON_STRING),
			.read = read_nat_proto },
	[NAT_MATCH_DPORT] = { .key = "match_dport",
			      .allowed = "a port number from 1 to 65535",
			      .kinds = KIND(JSON_INT),
			      .required = true,
			      .list_hint = "write a rule for each port",
			      .read = read_match_dport },
	[NAT_TO_IP] = { .key = "to_ip",
			.allowed = "an IPv4 or IPv6 address",
			.kinds = KIND(JSON_STRING),
			.read = read_to_ip },
	[NAT_TO_HOST] = { .key = "to_host",
			  .allowed = "a hostname or an address",
			  .kinds = KIND(JSON_STRING),
			  .read = read_to_host },
	[NAT_TO_PORT] = { .key = "to_port",
			  .allowed = "a port number from 1 to 65535",
			  .kinds = KIND(JSON_INT),
			  .required = true,
			  .read = read_to_port },
	[NAT_COMMENT] = { .key = "comment",
			  .allowed = "a string: it is shown on the rule",
			  .kinds = KIND(JSON_STRING),
			  .read = read_nat_comment },
	[NAT_OLD_DPORT] = { .key = "dport", .renamed_to = "match_dport" },
	[NAT_OLD_IP] = { .key = "redirect_ip", .renamed_to = "to_ip" },
	[NAT_OLD_HOST] = { .key = "redirect_host", .renamed_to = "to_host" },
	[NAT_OLD_PORT] = { .key = "redirect_port", .renamed_to = "to_port" },
};

static const struct fields nat_rule_fields = { "a nat rule", nat_fields, NAT_FIELDS };

static void check_target(struct reader *r, const struct json_node *item, const struct seen *seen)
{
	if (seen->node[NAT_TO_IP] && seen->node[NAT_TO_HOST]) {
		const struct json_node *ip = seen->node[NAT_TO_IP];
		const struct json_node *host = seen->node[NAT_TO_HOST];
		bool ip_first = ip->key_loc.off < host->key_loc.off;
		struct diag *diag = key_error(r, ip_first ? host : ip,
					      "\"to_ip\" and \"to_host\" exclude each other");

		diag->other = ip_first ? ip->key_loc : host->key_loc;
		diag->other_message = xstrdup("the other target is here");
	} else if (!seen->node[NAT_TO_IP] && !seen->node[NAT_TO_HOST] &&
		   !seen->excused[NAT_TO_IP] && !seen->excused[NAT_TO_HOST]) {
		brace_error(r, item, "a nat rule needs \"to_ip\" or \"to_host\", found neither");
	}
}

static void read_nat_rule(struct reader *r, const struct json_node *item, struct nat_rule *rule)
{
	struct seen seen;

	rule->loc = item->loc;
	rule->proto = PROTO_TCP;
	if (!item_is_object(r, item, nat_rule_fields.what))
		return;
	fields_read(r, item, &nat_rule_fields, rule, &seen);
	check_target(r, item, &seen);
	if (seen_doubtful(&seen, NAT_PROTO))
		rule->match_dport_loc.src = NULL; /* cannot be compared with other rules */
}

bool read_nat(struct reader *r, const struct field *field, const struct json_node *list,
	      void *object)
{
	struct network *network = object;
	size_t n = list->u.children.n;

	(void)field;
	if (!reader_take_objects(r, list))
		n = 0;
	network->n_nat = 0;
	network->nat = arena_alloc(&r->policy->arena, n * sizeof(*network->nat));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *item = &list->u.children.items[i];
		struct nat_rule *rule = &network->nat[network->n_nat];

		if (item->kind == JSON_OBJECT && item_says_nothing(r, item, &nat_rule_fields))
			continue;
		rule->index = i;
		read_nat_rule(r, item, rule);
		network->n_nat++;
	}
	return true;
}
