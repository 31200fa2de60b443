/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that several kinds of object have: addresses, names, ports, comments.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/base/arena.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"

/* ---- hints ---- */

/* A dotted mask that is no netmask: a host mask gets the length that its author meant. */
static char *mask_hint(const char *mask)
{
	struct ipaddr addr;
	uint32_t bits;

	if (!ipaddr_parse(mask, strlen(mask), &addr) || addr.family != FAMILY_IPV4)
		return NULL;
	memcpy(&bits, addr.b, sizeof(bits));
	bits = ntohl(bits);
	if ((bits & (bits + 1)) != 0)
		return xasprintf("%s is not a netmask: its ones must come first", mask);

	int len = 32;

	for (; bits; bits >>= 1)
		len--;
	return xasprintf("%s is a host mask, not a netmask; write /%d", mask, len);
}

/* The IPv4 text of an IPv4-mapped IPv6 address, owned; NULL when it is none. */
static char *mapped_text(const char *s)
{
	struct in6_addr addr;
	char text[INET_ADDRSTRLEN];

	if (inet_pton(AF_INET6, s, &addr) != 1 || !IN6_IS_ADDR_V4MAPPED(&addr) ||
	    !inet_ntop(AF_INET, &addr.s6_addr[12], text, sizeof(text)))
		return NULL;
	return xstrdup(text);
}

static char *network_hint(const char *s, const char *slash)
{
	cleanup(cleanup_free) char *head = xstrndup(s, (size_t)(slash - s));
	cleanup(cleanup_free) char *mapped = mapped_text(head);
	char *hint = mask_hint(slash + 1);
	struct ipaddr addr;
	uint64_t len;

	if (hint)
		return hint;
	if (mapped && parse_uint(slash + 1, strlen(slash + 1), 96, 128, &len))
		return xasprintf("this is IPv4 in IPv6's notation; write \"%s/%u\"", mapped,
				 (unsigned)(len - 96));
	if (!ipaddr_parse(head, strlen(head), &addr))
		return address_hint(head);
	return xasprintf("a prefix length is a number from 0 to %zu",
			 family_bytes(addr.family) * 8);
}

/* "db.example:5432", but no IPv6 address. */
static bool has_port(const char *s)
{
	const char *colon = strchr(s, ':');

	return colon && colon[1] && colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

static const struct {
	const char *part;
	const char *hint;
} part_hints[] = {
	{ "://", "give the name alone, without a scheme or path" },
	{ PRESET_PREFIX, PRESET_HINT },
	{ "*", "a wildcard has no place here; list the names" },
	{ "[", "write an IPv6 address without brackets" },
	{ "%", "write an IPv6 address without a zone" },
	{ " ", "leave out the blanks" },
};

static bool is_ascii(const char *s)
{
	while (*s && (unsigned char)*s < 0x80)
		s++;
	return !*s;
}

char *address_hint(const char *s)
{
	const char *slash = strchr(s, '/');
	size_t len = strlen(s);
	char *mapped;

	for (size_t i = 0; i < ARRAY_SIZE(part_hints); i++) {
		if (strstr(s, part_hints[i].part))
			return xstrdup(part_hints[i].hint);
	}
	if (!is_ascii(s))
		return xstrdup("write a name beyond ASCII in its xn-- form");
	if (s[0] == '.' && s[1] && s[1] != '.')
		return xasprintf("write \"%s\", and each name below it that is needed: a name does "
				 "not begin with a dot",
				 s + 1);
	if (slash)
		return network_hint(s, slash);
	if (len > 1 && s[len - 1] == '.' && s[strspn(s, "0123456789.")] == '\0')
		return xstrdup("leave out the dot at the end");
	if (has_port(s))
		return xstrdup("leave out the port");
	if (strpbrk(s, "0123456789") && s[strspn(s, "0123456789.")] == '\0')
		return xstrdup("an IPv4 address is four numbers from 0 to 255 without leading "
			       "zeros");
	if (len > 0 && s[strspn(s, "0123456789.-")] == '\0')
		return xstrdup("a range of addresses is written as networks, such as "
			       "\"192.0.2.0/24\"");
	mapped = mapped_text(s);
	if (!mapped)
		return NULL;

	char *hint = xasprintf("this is IPv4 in IPv6's notation; write \"%s\"", mapped);

	free(mapped);
	return hint;
}

/* The services that people name in place of their ports. */
char *service_hint(const char *s)
{
	static const struct {
		const char *name;
		unsigned port;
	} services[] = {
		{ "dns", 53 },	       { "domain", 53 },       { "ftp", 21 },
		{ "git", 9418 },       { "http", 80 },	       { "https", 443 },
		{ "imap", 143 },       { "imaps", 993 },       { "ldap", 389 },
		{ "ldaps", 636 },      { "mysql", 3306 },      { "ntp", 123 },
		{ "pop3", 110 },       { "pop3s", 995 },       { "rsync", 873 },
		{ "postgres", 5432 },  { "postgresql", 5432 }, { "redis", 6379 },
		{ "smtp", 25 },	       { "smtps", 465 },       { "ssh", 22 },
		{ "submission", 587 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strcasecmp(s, services[i].name) == 0)
			return xasprintf("%s is port %u: write %u, without quotes", s,
					 services[i].port, services[i].port);
	return NULL;
}

/* ---- readers ---- */

static bool ends_in_number(const char *s)
{
	const char *dot = strrchr(s, '.');
	const char *last = dot ? dot + 1 : s;

	return *last && last[strspn(last, "0123456789")] == '\0';
}

/*
 * hostname_valid() refuses a last label of digits. The program that we replace took such text for
 * an address in old notation ("127.1"); here it is a name like any other, with a warning.
 */
static bool is_hostname(const char *s, size_t len)
{
	if (!ends_in_number(s))
		return hostname_valid(s, len);

	cleanup(cleanup_free) char *with_letter = xstrndup(s, len);

	with_letter[len - 1] = 'x';
	return hostname_valid(with_letter, len);
}

bool read_address(struct reader *r, const struct field *field, const struct json_node *value,
		  struct ipaddr *ret_addr)
{
	const char *s = value->u.string.s;
	struct prefix prefix;
	struct ipaddr addr;

	if (strchr(s, '/') && prefix_parse(s, value->u.string.len, &prefix))
		return value_error_hint(r, field, value, xstrdup("leave out the prefix length"));
	if (!ipaddr_parse(s, value->u.string.len, &addr))
		return value_error_hint(r, field, value, address_hint(s));
	if (ipaddr_is_unspecified(&addr))
		return value_error_hint(r, field, value,
					xstrdup("the unspecified address is nobody's"));
	*ret_addr = addr;
	return true;
}

/* "10.0.0.256" and "127.1" are names that no DNS knows: a warning, for they look like addresses. */
static void warn_if_numeric(struct reader *r, const struct json_node *value, const char *name)
{
	if (!ends_in_number(name))
		return;
	node_warning(r, value,
		     "\"%s\" is not an address (four numbers from 0 to 255, no leading zeros), "
		     "so it is looked up as a hostname, and none ends in a number",
		     name);
}

/* "AS13335": firewalls with a list of the Internet's routes take it; to us it is a name like any other. */
static void warn_if_system(struct reader *r, const struct json_node *value, const char *name)
{
	if (strncasecmp(name, "as", 2) != 0 || !name[2] ||
	    name[2 + strspn(name + 2, "0123456789")] != '\0')
		return;
	node_warning(r, value,
		     "\"%s\" reads like the number of an autonomous system, but is looked up as a "
		     "hostname",
		     name)
		->hint = xstrdup("list the networks of that system in CIDR notation");
}

/* A hostname in lower case, without the dot that may end it; NULL, and reported, for anything else. */
static const char *read_hostname(struct reader *r, const struct field *field,
				 const struct json_node *value)
{
	size_t len = value->u.string.len;
	struct ipaddr addr;
	char *name;

	if (len > 1 && value->u.string.s[len - 1] == '.')
		len--;
	name = arena_strndup(&r->policy->arena, value->u.string.s, len);
	/* "192.0.2.1." is neither: DNS would be asked for an address. */
	if (ipaddr_parse(name, len, &addr) || !is_hostname(name, len)) {
		value_error_hint(r, field, value, address_hint(value->u.string.s));
		return NULL;
	}
	warn_if_numeric(r, value, name);
	warn_if_system(r, value, name);
	return lower_case(name);
}

bool is_like_pattern(const char *s)
{
	return strchr(s, '*') != NULL;
}

/* Why it is none, owned; NULL for another reason. */
static char *pattern_hint(const char *s, size_t len)
{
	if (strcmp(s, "*") == 0)
		return xstrdup("that would be every name; a rule about every destination has "
			       "\"to\": \"all\"");
	if (s[0] != '*' || s[1] != '.' || strchr(s + 1, '*'))
		return xstrdup("\"*\" stands for one or more labels at the beginning of a name, as "
			       "in \"*.example.com\"");
	if (hostname_valid(s + 2, len - 2))
		return xstrdup("behind \"*.\" a name has at least two labels: fewer would be half "
			       "of the Internet");
	return NULL;
}

const char *read_pattern(struct reader *r, const struct field *field, const struct json_node *value)
{
	size_t len = value->u.string.len;
	char *name;

	if (len > 1 && value->u.string.s[len - 1] == '.')
		len--;
	name = arena_strndup(&r->policy->arena, value->u.string.s, len);
	if (len > 253 || strncmp(name, "*.", 2) != 0 || !strchr(name + 2, '.') ||
	    !hostname_valid(name + 2, len - 2)) {
		value_error_hint(r, field, value, pattern_hint(name, len));
		return NULL;
	}
	return lower_case(name);
}

const char *read_dns_name(struct reader *r, const struct field *field,
			  const struct json_node *value)
{
	return is_like_pattern(value->u.string.s) ? read_pattern(r, field, value)
						  : read_hostname(r, field, value);
}

bool read_endpoint(struct reader *r, const struct field *field, const struct json_node *value,
		   struct endpoint *ret_endpoint)
{
	const char *s = value->u.string.s;
	size_t len = value->u.string.len;
	struct endpoint endpoint = { 0 };

	if (prefix_parse(s, len, &endpoint.prefix)) {
		if (ipaddr_is_unspecified(&endpoint.prefix.addr) &&
		    prefix_is_address(&endpoint.prefix))
			return value_error_hint(r, field, value,
						xstrdup("the unspecified address is nobody's"));
	} else {
		endpoint.name = read_hostname(r, field, value);
		if (!endpoint.name)
			return false;
	}
	*ret_endpoint = endpoint;
	return true;
}

bool read_unicast_mac(struct reader *r, const struct field *field, const struct json_node *value,
		      uint8_t ret_mac[6])
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (!mac_parse(value->u.string.s, value->u.string.len, mac))
		return value_error_hint(
			r, field, value,
			strchr(value->u.string.s, '-') ? xstrdup("write it with colons") : NULL);
	if (memcmp(mac, zero, sizeof(zero)) == 0)
		return value_error_hint(r, field, value, xstrdup("no interface has this one"));
	if (mac[0] & 1)
		return value_error_hint(r, field, value,
					xstrdup("a first byte that is odd means multicast"));
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}

bool read_port(struct reader *r, const struct field *field, const struct json_node *value,
	       uint16_t *ret_port)
{
	if (value->u.integer < 1 || value->u.integer > UINT16_MAX)
		return value_error(r, field, value);
	*ret_port = (uint16_t)value->u.integer;
	return true;
}

bool read_comment(struct reader *r, const struct json_node *value, const char **ret_comment)
{
	size_t len = value->u.string.len;

	if (len == 0) {
		*ret_comment = NULL;
		return true;
	}

	char *comment = arena_strdup(&r->policy->arena, value->u.string.s);

	if (len > COMMENT_MAX) {
		size_t cut = utf8_cut(comment, COMMENT_MAX);

		comment[cut] = '\0';
		node_warning(r, value,
			     "the comment has %zu bytes; the kernel keeps %d, so it is cut to %zu",
			     len, COMMENT_MAX, cut);
	}
	/* nft cannot write a quote inside a comment, however escaped. */
	for (char *quote = comment; (quote = strchr(quote, '"')) != NULL;)
		*quote = '\'';
	*ret_comment = comment;
	return true;
}

/* ---- lists ---- */

static int string_cmp(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

size_t unique_strings(const char **strings, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(strings, n, sizeof(*strings), string_cmp);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(strings[kept - 1], strings[i]) != 0)
			strings[kept++] = strings[i];
	return kept;
}

static int prefix_sort_cmp(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

/* Prefixes are nested or disjoint, and sorting puts the outer one first. */
size_t outermost_prefixes(struct prefix *prefixes, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(prefixes, n, sizeof(*prefixes), prefix_sort_cmp);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !prefix_covers(&prefixes[kept - 1], &prefixes[i]))
			prefixes[kept++] = prefixes[i];
	return kept;
}
