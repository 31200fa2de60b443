/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The egress and host rules of one network in firewall-config.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/policy/fields.h"

/* ---- values ---- */

/* The name that other firewalls have for it; owned, or NULL. */
static char *action_hint(const char *s)
{
	static const struct {
		const char *word;
		enum action action;
	} others[] = {
		{ "accept", ACTION_ALLOW }, { "pass", ACTION_ALLOW },  { "permit", ACTION_ALLOW },
		{ "block", ACTION_DROP },   { "deny", ACTION_DROP },   { "discard", ACTION_DROP },
		{ "refuse", ACTION_DROP },  { "reject", ACTION_DROP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strcasecmp(others[i].word, s) == 0)
			return xasprintf("write \"%s\"", action_name(others[i].action));
	}
	return NULL;
}

static bool read_action(struct reader *r, const struct field *field, const struct json_node *value,
			void *object)
{
	static const enum action actions[] = { ACTION_ALLOW, ACTION_DROP };
	const char *words[] = { action_name(ACTION_ALLOW), action_name(ACTION_DROP) };
	struct rule *rule = object;
	char *hint;
	size_t i;

	if (find_word(value->u.string.s, words, ARRAY_SIZE(words), &i)) {
		rule->action = actions[i];
		return true;
	}
	hint = action_hint(value->u.string.s);
	return value_error_hint(r, field, value,
				hint ? hint
				     : did_you_mean(value->u.string.s, words, ARRAY_SIZE(words)));
}

static bool read_proto(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object)
{
	static const enum proto protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };
	const char *words[] = { proto_name(PROTO_TCP), proto_name(PROTO_UDP),
				proto_name(PROTO_ICMP) };
	struct rule *rule = object;
	size_t i;

	if (!read_word(r, field, value, words, ARRAY_SIZE(words), &i))
		return false;
	rule->proto = protos[i];
	return true;
}

/* A destination where its kind belongs; owned, or NULL. A name without a dot may be a kind, misspelt. */
static char *to_hint(const struct reader *r, const char *s, size_t len)
{
	struct ipaddr addr;
	struct prefix prefix;
	enum dest to;

	if (ipaddr_parse(s, len, &addr))
		to = DEST_IP;
	else if (prefix_parse(s, len, &prefix))
		to = DEST_CIDR;
	else if (name_index_find(&r->ipsets, s))
		to = DEST_IPSET;
	else if (strchr(s, '.') && hostname_length(s, len))
		to = DEST_HOSTNAME;
	else
		return NULL;
	return xasprintf("write \"to\": \"%s\", \"%s\": \"%s\"", dest_name(to), dest_name(to), s);
}

static bool read_to(struct reader *r, const struct field *field, const struct json_node *value,
		    void *object)
{
	static const enum dest dests[] = { DEST_ALL, DEST_CIDR, DEST_IP, DEST_HOSTNAME,
					   DEST_IPSET };
	const char *words[ARRAY_SIZE(dests)];
	struct rule *rule = object;
	char *hint;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dests); i++)
		words[i] = dest_name(dests[i]);
	if (find_word(value->u.string.s, words, ARRAY_SIZE(words), &i)) {
		rule->to = dests[i];
		return true;
	}
	hint = to_hint(r, value->u.string.s, value->u.string.len);
	return value_error_hint(r, field, value,
				hint ? hint
				     : did_you_mean(value->u.string.s, words, ARRAY_SIZE(words)));
}

static const struct field port_field = {
	.subject = "a port",
	.allowed = "a number from 1 to 65535 or a range as \"from-to\"",
};

static char *port_hint(const char *s)
{
	const char *dash = strchr(s, '-');
	struct portrange from, to;
	char *service = service_hint(s);

	if (service)
		return service;
	if (strpbrk(s, ", "))
		return xstrdup("every port or range is an entry of its own, without blanks");
	if (strchr(s, ':'))
		return xstrdup("a range is written with a hyphen");
	if (dash && portrange_parse(s, (size_t)(dash - s), &from) &&
	    portrange_parse(dash + 1, strlen(dash + 1), &to) && from.lo > to.lo)
		return xstrdup("a range begins with its lower end");
	return NULL;
}

static bool read_port_item(struct reader *r, const struct json_node *item,
			   struct portrange *ret_range)
{
	if (item->kind == JSON_INT) {
		if (!read_port(r, &port_field, item, &ret_range->lo))
			return false;
		ret_range->hi = ret_range->lo;
		return true;
	}
	if (item->kind != JSON_STRING)
		return value_error(r, &port_field, item);
	if (!portrange_parse(item->u.string.s, item->u.string.len, ret_range))
		return value_error_hint(r, &port_field, item, port_hint(item->u.string.s));
	return true;
}

static bool read_ports(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object)
{
	struct rule *rule = object;
	size_t n = value->u.children.n;
	bool good = true;

	if (n == 0)
		return value_error_hint(r, field, value,
					xstrdup("leave the key out for every port"));
	rule->ports = arena_alloc(&r->policy->arena, n * sizeof(*rule->ports));
	for (size_t i = 0; i < n; i++) {
		if (!read_port_item(r, &value->u.children.items[i], &rule->ports[i]))
			good = false;
	}
	if (good)
		rule->n_ports = portranges_normalise(rule->ports, n);
	return good;
}

static bool read_cidr(struct reader *r, const struct field *field, const struct json_node *value,
		      void *object)
{
	const char *s = value->u.string.s;
	struct rule *rule = object;
	struct prefix prefix;
	char text[ADDR_STRLEN];

	if (!prefix_parse(s, value->u.string.len, &prefix))
		return value_error_hint(r, field, value,
					hostname_length(s, value->u.string.len)
						? xstrdup("a hostname goes with \"to\": \"host\"")
						: address_hint(s));
	if (ipaddr_is_unspecified(&prefix.addr) && prefix_is_address(&prefix)) {
		ipaddr_format(&prefix.addr, text);
		return value_error_hint(r, field, value,
					xasprintf("for every address write \"%s/0\"", text));
	}
	rule->cidr = prefix;
	return true;
}

static bool read_ip(struct reader *r, const struct field *field, const struct json_node *value,
		    void *object)
{
	struct rule *rule = object;
	struct prefix prefix;
	struct ipaddr addr;

	if (strchr(value->u.string.s, '/') &&
	    prefix_parse(value->u.string.s, value->u.string.len, &prefix))
		return value_error_hint(r, field, value,
					xstrdup("a network goes with \"to\": \"cidr\""));
	if (hostname_length(value->u.string.s, value->u.string.len))
		return value_error_hint(r, field, value,
					xstrdup("a hostname goes with \"to\": \"host\""));
	if (!read_address(r, field, value, &addr))
		return false;
	rule->cidr = prefix_of_address(&addr);
	return true;
}

static bool read_host(struct reader *r, const struct field *field, const struct json_node *value,
		      void *object)
{
	struct rule *rule = object;
	struct endpoint endpoint;

	if (strchr(value->u.string.s, '/') && !strstr(value->u.string.s, "://"))
		return value_error_hint(r, field, value,
					xstrdup("a network goes with \"to\": \"cidr\""));
	if (is_like_pattern(value->u.string.s)) {
		rule->hostname = read_pattern(r, field, value);
		return rule->hostname != NULL;
	}
	if (!read_endpoint(r, field, value, &endpoint))
		return false;
	rule->hostname = endpoint.name;
	rule->cidr = endpoint.prefix;
	return true;
}

static bool read_ipset_name(struct reader *r, const struct field *field,
			    const struct json_node *value, void *object)
{
	const char *s = value->u.string.s;
	const struct named *found = name_index_find(&r->ipsets, s);
	struct rule *rule = object;
	struct buf quoted = { 0 };

	(void)field;
	if (found) {
		rule->ipset = found->index;
		return true;
	}
	if (!r->ipsets_known)
		return true; /* its absence is a consequence of what was reported already */
	quote_found(&quoted, s, value->u.string.len);

	struct diag *diag =
		node_error(r, value, "there is no ipset %s in \"ipsets\"", buf_str(&quoted));

	buf_free(&quoted);
	if (key_is_free_text(s))
		diag->hint = xstrdup("the key \"comment\" and keys that begin with \"_\" are free "
				     "text, so no ipset can be called this");
	else if (strncmp(s, PRESET_PREFIX, sizeof(PRESET_PREFIX) - 1) == 0)
		diag->hint = xstrdup(PRESET_HINT);
	else if (!reader_is_full(r))
		diag->hint = name_index_suggest(&r->ipsets, s);
	return false;
}

static bool read_icmp_type(struct reader *r, const struct field *field,
			   const struct json_node *value, void *object)
{
	struct rule *rule = object;
	char number[24];
	const char *s = number;

	if (value->kind == JSON_INT)
		snprintf(number, sizeof(number), "%" PRId64, value->u.integer);
	else
		s = value->u.string.s;
	if (icmp_type_parse(s, strlen(s), &rule->icmp4, &rule->icmp6))
		return true;

	const char *near = icmp_type_nearest(s);

	return value_error_hint(r, field, value,
				near ? xasprintf("did you mean \"%s\"?", near) : NULL);
}

static bool read_rule_comment(struct reader *r, const struct field *field,
			      const struct json_node *value, void *object)
{
	struct rule *rule = object;

	(void)field;
	return read_comment(r, value, &rule->comment);
}

/* ---- rules ---- */

enum {
	RULE_ACTION,
	RULE_PROTO,
	RULE_PORTS,
	RULE_TYPE,
	RULE_COMMENT,
	RULE_TO,
	RULE_CIDR, /* from here on in the order of enum dest */
	RULE_IP,
	RULE_HOST,
	RULE_IPSET,
	RULE_FIELDS,
};

#define RULE_COMMON_FIELDS                                                                      \
	[RULE_ACTION] = { .key = "action",                                                      \
			  .allowed = "\"allow\" or \"drop\"",                                   \
			  .kinds = KIND(JSON_STRING),                                           \
			  .read = read_action },                                                \
	[RULE_PROTO] = { .key = "proto",                                                        \
			 .allowed = "\"tcp\", \"udp\" or \"icmp\", or absent for any protocol", \
			 .kinds = KIND(JSON_STRING),                                            \
			 .list_hint = "write a rule for each protocol",                         \
			 .read = read_proto },                                                  \
	[RULE_PORTS] = { .key = "ports",                                                        \
			 .allowed = "a list of ports and ranges, such as [443, \"8000-8100\"]", \
			 .kinds = KIND(JSON_ARRAY),                                             \
			 .read = read_ports },                                                  \
	[RULE_TYPE] = { .key = "type",                                                          \
			.allowed = "an ICMP type by name, by number from 0 to 255, or as "      \
				   "\"type/code\", or \"any\"",                                 \
			.kinds = KIND(JSON_STRING) | KIND(JSON_INT),                            \
			.read = read_icmp_type },                                               \
	[RULE_COMMENT] = { .key = "comment",                                                    \
			   .allowed = "a string: it is shown on the rule",                      \
			   .kinds = KIND(JSON_STRING),                                          \
			   .read = read_rule_comment }

#define SEVERAL_HINT "put several into an ipset"

static const struct field egress_fields[RULE_FIELDS] = {
	RULE_COMMON_FIELDS,
	[RULE_TO] = { .key = "to",
		      .allowed = "\"all\", \"cidr\", \"ip\", \"host\" or \"ipset\"",
		      .kinds = KIND(JSON_STRING),
		      .read = read_to },
	[RULE_CIDR] = { .key = "cidr",
			.allowed = "a network in CIDR notation, such as \"192.0.2.0/24\" or "
				   "\"2001:db8::/32\"",
			.kinds = KIND(JSON_STRING),
			.list_hint = SEVERAL_HINT,
			.read = read_cidr },
	[RULE_IP] = { .key = "ip",
		      .allowed = "an IPv4 or IPv6 address",
		      .kinds = KIND(JSON_STRING),
		      .list_hint = SEVERAL_HINT,
		      .read = read_ip },
	[RULE_HOST] = { .key = "host",
			.allowed = "a hostname, a wildcard or an address",
			.kinds = KIND(JSON_STRING),
			.list_hint = SEVERAL_HINT,
			.read = read_host },
	[RULE_IPSET] = { .key = "ipset",
			 .allowed = "the name of an ipset",
			 .kinds = KIND(JSON_STRING),
			 .list_hint = "give the list a name in \"ipsets\"",
			 .read = read_ipset_name },
};

#define RESOLVED_REFUSED                                                                  \
	.refused = "host rules judge traffic to the Docker host itself, so they have no " \
		   "destination"

static const struct field host_fields[RULE_FIELDS] = {
	RULE_COMMON_FIELDS,
	[RULE_TO] = { .key = "to", RESOLVED_REFUSED },
	[RULE_CIDR] = { .key = "cidr", RESOLVED_REFUSED },
	[RULE_IP] = { .key = "ip", RESOLVED_REFUSED },
	[RULE_HOST] = { .key = "host", RESOLVED_REFUSED },
	[RULE_IPSET] = { .key = "ipset", RESOLVED_REFUSED },
};

static const struct fields egress_rule = { "an egress rule", egress_fields, RULE_FIELDS };
static const struct fields host_rule = { "a host rule", host_fields, RULE_FIELDS };

/* "ports" and "type" against "proto". */
static void check_proto(struct reader *r, const struct rule *rule, const struct seen *seen)
{
	const struct json_node *ports = seen->node[RULE_PORTS];
	const struct json_node *type = seen->node[RULE_TYPE];
	bool has_ports = rule->proto == PROTO_TCP || rule->proto == PROTO_UDP;

	if (seen_doubtful(seen, RULE_PROTO))
		return;
	if (ports && !has_ports)
		key_error(r, ports, "\"ports\" needs \"proto\": \"tcp\" or \"udp\", found %s",
			  rule->proto == PROTO_ICMP ? "\"icmp\", which has no ports"
						    : "no \"proto\"");
	if (type && rule->proto != PROTO_ICMP)
		key_error(r, type,
			  "\"type\" is an ICMP type and needs \"proto\": \"icmp\", found %s%s%s",
			  seen->node[RULE_PROTO] ? "\"" : "",
			  seen->node[RULE_PROTO] ? proto_name(rule->proto) : "no \"proto\"",
			  seen->node[RULE_PROTO] ? "\"" : "");
}

static size_t dest_field(enum dest dest)
{
	return RULE_CIDR + (size_t)(dest - DEST_CIDR);
}

/* A drop rule, perhaps, whose only destination is "cidr". */
static bool drops_cidr_alone(const struct rule *rule, const struct seen *seen)
{
	size_t n = 0;

	for (size_t i = RULE_CIDR; i <= RULE_IPSET; i++)
		n += seen->node[i] != NULL;
	return n == 1 && seen->node[RULE_CIDR] &&
	       (rule->action == ACTION_DROP || seen_doubtful(seen, RULE_ACTION));
}

/* Without "to", a destination's key would be ignored and the rule be about all destinations. */
static void check_dest_without_to(struct reader *r, struct rule *rule, const struct seen *seen)
{
	if (drops_cidr_alone(rule, seen)) {
		rule->to = DEST_CIDR;
		return;
	}
	for (size_t i = RULE_CIDR; i <= RULE_IPSET; i++) {
		const char *key = egress_fields[i].key;

		if (!seen->node[i])
			continue;
		key_error(r, seen->node[i], "\"%s\" needs \"to\": \"%s\" beside it%s", key, key,
			  i == RULE_CIDR ? "; only a drop rule may give \"cidr\" alone" : "");
	}
}

/* "to" and the key of its name need each other. */
static void check_dest(struct reader *r, struct rule *rule, const struct seen *seen)
{
	const struct json_node *to = seen->node[RULE_TO];

	if (seen_doubtful(seen, RULE_TO))
		return;
	if (!to) {
		check_dest_without_to(r, rule, seen);
		return;
	}

	const char *name = dest_name(rule->to);

	/* The program that we replace saves drop rules with "cidr" alone like this. */
	if (rule->to == DEST_ALL && drops_cidr_alone(rule, seen)) {
		rule->to = DEST_CIDR;
		return;
	}
	for (size_t i = RULE_CIDR; i <= RULE_IPSET; i++) {
		if (seen->node[i] && (rule->to == DEST_ALL || i != dest_field(rule->to)))
			key_error(r, seen->node[i], "\"%s\" does not go with \"to\": \"%s\"",
				  egress_fields[i].key, name);
	}
	if (rule->to != DEST_ALL && !seen->node[dest_field(rule->to)] &&
	    !seen->excused[dest_field(rule->to)])
		node_error(r, to, "\"to\": \"%s\" needs the key \"%s\" beside it", name, name);
}

/* It may be meant; but a rule whose keys were forgotten looks the same. */
static void note_allows_all(struct reader *r, const struct json_node *item, const struct rule *rule,
			    const struct seen *seen)
{
	if (rule->action != ACTION_ALLOW || seen_doubtful(seen, RULE_ACTION) ||
	    seen->node[RULE_PROTO] || seen->excused[RULE_PROTO] || seen->node[RULE_PORTS] ||
	    seen->excused[RULE_PORTS] || seen->node[RULE_TYPE])
		return;
	for (size_t i = RULE_TO; i <= RULE_IPSET; i++)
		if (seen->node[i] || seen->excused[i])
			return;
	node_note(r, item,
		  "this allows everything, as it names neither \"proto\" nor \"ports\" nor a "
		  "destination")
		->hint = xstrdup("if that is meant, say so by \"to\": \"all\"");
}

/* A literal address where a hostname is allowed needs no DNS: from here on it is an address. Nor can a wildcard be
 * looked up. */
static void settle_dest(struct rule *rule)
{
	if (rule->to == DEST_HOSTNAME && !rule->hostname)
		rule->to = DEST_IP;
	if (rule->to == DEST_HOSTNAME && is_like_pattern(rule->hostname))
		rule->to = DEST_PATTERN;
	else if (rule->to != DEST_HOSTNAME)
		rule->hostname = NULL;
}

/* conntrack calls only requests NEW (nf_conntrack_proto_icmp.c, valid_new); the rest belongs to a
 * known connection or is INVALID, and egress rules see neither. */
static bool icmp_can_be_new(const struct icmp_type *type)
{
	return type->any || type->type == 8 || type->type == 13 || type->type == 15 ||
	       type->type == 17;
}

static void check_icmp(struct reader *r, struct rule *rule, const struct seen *seen)
{
	const struct json_node *type = seen->node[RULE_TYPE];
	bool to_literal = rule->to == DEST_CIDR || rule->to == DEST_IP;

	if (rule->proto != PROTO_ICMP)
		return;
	if (!type) {
		icmp_type_parse("echo-request", strlen("echo-request"), &rule->icmp4, &rule->icmp6);
		return;
	}
	if (!seen->good[RULE_TYPE])
		return;
	if (!icmp_can_be_new(&rule->icmp4))
		node_warning(r, type,
			     "no connection begins with this ICMP type, so the rule never matches");
	else if (to_literal && rule->cidr.addr.family == FAMILY_IPV6 && !rule->icmp6.set)
		node_warning(r, type,
			     "IPv6 has no such ICMP type, so the rule never matches its "
			     "IPv6 destination");
}

static void read_rule(struct reader *r, const struct json_node *item, const struct fields *fields,
		      struct rule *rule)
{
	struct seen seen;

	rule->loc = item->loc;
	if (!item_is_object(r, item, fields->what))
		return;
	fields_read(r, item, fields, rule, &seen);
	check_proto(r, rule, &seen);
	if (fields == &egress_rule) {
		check_dest(r, rule, &seen);
		note_allows_all(r, item, rule, &seen);
	}
	settle_dest(rule);
	check_icmp(r, rule, &seen);
}

static struct rule *read_rules(struct reader *r, const struct json_node *list,
			       const struct fields *fields, size_t *ret_n)
{
	size_t n = list->u.children.n;

	if (!reader_take_objects(r, list))
		n = 0;

	struct rule *rules = arena_alloc(&r->policy->arena, n * sizeof(*rules));

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct json_node *item = &list->u.children.items[i];
		struct rule *rule = &rules[*ret_n];

		if (item->kind == JSON_OBJECT && item_says_nothing(r, item, fields))
			continue;
		rule->index = i;
		read_rule(r, item, fields, rule);
		++*ret_n;
	}
	return rules;
}

bool read_egress(struct reader *r, const struct field *field, const struct json_node *list,
		 void *object)
{
	struct network *network = object;

	(void)field;
	network->egress = read_rules(r, list, &egress_rule, &network->n_egress);
	return true;
}

bool read_host_rules(struct reader *r, const struct field *field, const struct json_node *list,
		     void *object)
{
	struct network *network = object;

	(void)field;
	network->host_rules = read_rules(r, list, &host_rule, &network->n_host_rules);
	return true;
}
