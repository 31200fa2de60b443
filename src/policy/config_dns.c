/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "dns" in firewall-config: of a network, how the gate serves it; at the top, whom the gate asks.
 */
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"

#define STALE_MAX_S 604800 /* a week */
#define UPSTREAM_MAX 8

static const struct field name_field = {
	.subject = "an entry of \"names\"",
	.allowed = "a hostname, or a wildcard such as \"*.example.com\"",
};

static bool read_names(struct reader *r, const struct field *field, const struct json_node *list,
		       void *object)
{
	struct network_dns *dns = object;
	size_t n = list->u.children.n;
	bool good = true;

	(void)field;
	if (!reader_take_objects(r, list))
		return false;
	dns->names = arena_alloc(&r->policy->arena, (n + 1) * sizeof(*dns->names));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *entry = &list->u.children.items[i];
		const char *name = NULL;

		if (entry->kind == JSON_STRING)
			name = read_dns_name(r, &name_field, entry);
		else
			value_error(r, &name_field, entry);
		good &= name != NULL;
		if (name)
			dns->names[dns->n_names++] = name;
	}
	dns->n_names = unique_strings(dns->names, dns->n_names);
	return good;
}

static const struct field private_field = {
	.subject = "an entry of \"private\"",
	.allowed = "an address or a network in CIDR notation",
};

/* Addresses that no answer opens, whatever "private" says. */
static const char *never_hint(const struct prefix *prefix)
{
	const uint8_t *b = prefix->addr.b;

	if (prefix->len == 0)
		return "that is every address: give the networks that answers may lead to";
	if (ipaddr_is_unspecified(&prefix->addr) && prefix_is_address(prefix))
		return "the unspecified address is nobody's";
	if (ipaddr_is_loopback(&prefix->addr))
		return "no answer opens loopback addresses";
	if (ipaddr_is_multicast(&prefix->addr))
		return "no answer opens multicast addresses";
	if (prefix->addr.family == FAMILY_IPV4
		    ? prefix->len >= 16 && b[0] == 169 && b[1] == 254
		    : prefix->len >= 10 && b[0] == 0xfe && b[1] >> 6 == 2)
		return "no answer opens link-local addresses";
	return NULL;
}

static bool read_private_entry(struct reader *r, const struct json_node *entry,
			       struct prefix *ret_prefix)
{
	const char *s, *why;

	if (entry->kind != JSON_STRING)
		return value_error(r, &private_field, entry);
	s = entry->u.string.s;
	if (!prefix_parse(s, entry->u.string.len, ret_prefix))
		return value_error_hint(
			r, &private_field, entry,
			hostname_valid(s, entry->u.string.len)
				? xstrdup("names belong in \"names\"; here stand the "
					  "addresses that answers may have")
				: address_hint(s));
	why = never_hint(ret_prefix);
	return why ? value_error_hint(r, &private_field, entry, xstrdup(why)) : true;
}

static bool read_private(struct reader *r, const struct field *field, const struct json_node *list,
			 void *object)
{
	struct network_dns *dns = object;
	size_t n = list->u.children.n;
	bool good = true;

	(void)field;
	if (!reader_take_objects(r, list))
		return false;
	dns->private = arena_alloc(&r->policy->arena, (n + 1) * sizeof(*dns->private));
	for (size_t i = 0; i < n; i++) {
		bool read = read_private_entry(r, &list->u.children.items[i],
					       &dns->private[dns->n_private]);

		dns->n_private += read;
		good &= read;
	}
	dns->n_private = outermost_prefixes(dns->private, dns->n_private);
	return good;
}

/* ---- types ---- */

static const struct field type_field = {
	.subject = "an entry of \"types\"",
	.allowed = "\"CAA\", \"MX\", \"NAPTR\", \"NS\", \"SOA\", \"SRV\", \"SSHFP\", \"TLSA\" or "
		   "\"TXT\"",
};

static const char *const type_words[] = { "CAA", "MX",	  "NAPTR", "NS", "SOA",
					  "SRV", "SSHFP", "TLSA",  "TXT" };

/* Owned, or NULL. */
static char *type_hint(const char *s)
{
	static const struct {
		const char *word, *hint;
	} others[] = {
		{ "A", "A and AAAA are always answered" },
		{ "AAAA", "A and AAAA are always answered" },
		{ "HTTPS", "its hints would lead past the addresses that the gate has told" },
		{ "SVCB", "its hints would lead past the addresses that the gate has told" },
		{ "ANY", "the gate refuses it: list the types" },
		{ "PTR", "the gate answers no question about an address" },
		{ "CNAME", "the gate follows aliases itself" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i].word, s) == 0)
			return xstrdup(others[i].hint);
	return did_you_mean(s, type_words, ARRAY_SIZE(type_words));
}

static bool read_types(struct reader *r, const struct field *field, const struct json_node *list,
		       void *object)
{
	struct network_dns *dns = object;
	size_t n = list->u.children.n, k;
	bool good = true;

	(void)field;
	if (!reader_take_objects(r, list))
		return false;
	dns->types = arena_alloc(&r->policy->arena, (n + 1) * sizeof(*dns->types));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *entry = &list->u.children.items[i];

		if (entry->kind != JSON_STRING)
			good = value_error(r, &type_field, entry);
		else if (find_word(entry->u.string.s, type_words, ARRAY_SIZE(type_words), &k))
			dns->types[dns->n_types++] = type_words[k];
		else
			good = value_error_hint(r, &type_field, entry,
						type_hint(entry->u.string.s));
	}
	dns->n_types = unique_strings(dns->types, dns->n_types);
	return good;
}

static bool read_stale(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object)
{
	struct network_dns *dns = object;

	if (value->u.integer < 0 || value->u.integer > STALE_MAX_S)
		return value_error(r, field, value);
	dns->has_stale = true;
	dns->stale_s = (unsigned)value->u.integer;
	return true;
}

static const struct field dns_field[] = {
	{ .key = "names",
	  .allowed = "a list of hostnames and wildcards",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_names },
	{ .key = "private",
	  .allowed = "a list of addresses and networks in CIDR notation",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_private },
	{ .key = "types",
	  .allowed = "a list of record types, such as [\"MX\", \"SRV\"]",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_types },
	{ .key = "stale",
	  .allowed = "a number of seconds from 0 to 604800",
	  .kinds = KIND(JSON_INT),
	  .read = read_stale },
	{ .key = "upstream",
	  .refused =
		  "the gate asks the same name servers for all networks: it goes into the \"dns\" "
		  "beside \"networks\"" },
};

static const struct fields dns_fields = { "a network's \"dns\"", dns_field, ARRAY_SIZE(dns_field) };

bool read_dns(struct reader *r, const struct field *field, const struct json_node *value,
	      void *object)
{
	struct network *network = object;
	struct seen seen;

	(void)field;
	network->dns = (struct network_dns){ .gated = true, .loc = value->key_loc };
	fields_read(r, value, &dns_fields, &network->dns, &seen);
	return true;
}

/* ---- the top-level one ---- */

static const struct field server_field = {
	.subject = "an entry of \"upstream\"",
	.allowed = "the address of a name server",
};

static bool read_upstream(struct reader *r, const struct field *field, const struct json_node *list,
			  void *object)
{
	struct policy *policy = object;
	size_t n = list->u.children.n;
	bool good = true;

	if (n == 0 || n > UPSTREAM_MAX)
		return value_error_hint(r, field, list,
					n == 0 ? xstrdup("leave the key out for the host's own "
							 "name servers")
					       : NULL);
	policy->upstream = arena_alloc(&policy->arena, n * sizeof(*policy->upstream));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *entry = &list->u.children.items[i];
		bool read = entry->kind == JSON_STRING
				    ? read_address(r, &server_field, entry,
						   &policy->upstream[policy->n_upstream])
				    : value_error(r, &server_field, entry);

		policy->n_upstream += read;
		good &= read;
	}
	return good;
}

#define OF_A_NETWORK                                                                           \
	"networks differ in it: it goes into the \"dns\" of a network, beside its \"egress\" " \
	"rules"

static const struct field upstream_field[] = {
	{ .key = "upstream",
	  .allowed = "a list of 1 to 8 addresses of name servers",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_upstream },
	{ .key = "names", .refused = OF_A_NETWORK },
	{ .key = "private", .refused = OF_A_NETWORK },
	{ .key = "types", .refused = OF_A_NETWORK },
	{ .key = "stale", .refused = OF_A_NETWORK },
};

static const struct fields upstream_fields = { "the top-level \"dns\"", upstream_field,
					       ARRAY_SIZE(upstream_field) };

bool read_dns_upstream(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object)
{
	struct seen seen;

	(void)field;
	fields_read(r, value, &upstream_fields, object, &seen);
	return true;
}
