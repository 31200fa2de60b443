/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP types by name. Two vocabularies are accepted, iptables' (`iptables -p icmp -h`; the numbers
 * are in its extensions/libxt_icmp.h) and nft's (`nft describe icmp type`); where both know a word
 * they mean the same. Neither iptables' abbreviations ("echo-req") nor its reading of 255 as "any"
 * are: a rule says what it says.
 */
#include <string.h>
#include <strings.h>

#include "dockside/base/suggest.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

struct icmp_name {
	const char *name;
	uint8_t type;
	bool has_code;
	uint8_t code;
};

#define TYPE(name, type)             \
	{                            \
		name, type, false, 0 \
	}
#define CODE(name, type, code)         \
	{                              \
		name, type, true, code \
	}

static const struct icmp_name icmp_names[] = {
	TYPE("echo-reply", 0),
	TYPE("pong", 0),
	TYPE("destination-unreachable", 3),
	CODE("network-unreachable", 3, 0),
	CODE("net-unreachable", 3, 0),
	CODE("host-unreachable", 3, 1),
	CODE("protocol-unreachable", 3, 2),
	CODE("prot-unreachable", 3, 2),
	CODE("port-unreachable", 3, 3),
	CODE("fragmentation-needed", 3, 4),
	CODE("frag-needed", 3, 4),
	CODE("source-route-failed", 3, 5),
	CODE("network-unknown", 3, 6),
	CODE("host-unknown", 3, 7),
	CODE("network-prohibited", 3, 9),
	CODE("net-prohibited", 3, 9),
	CODE("host-prohibited", 3, 10),
	CODE("TOS-network-unreachable", 3, 11),
	CODE("TOS-host-unreachable", 3, 12),
	CODE("communication-prohibited", 3, 13),
	CODE("admin-prohibited", 3, 13),
	CODE("host-precedence-violation", 3, 14),
	CODE("precedence-cutoff", 3, 15),
	TYPE("source-quench", 4),
	TYPE("redirect", 5),
	CODE("network-redirect", 5, 0),
	CODE("host-redirect", 5, 1),
	CODE("TOS-network-redirect", 5, 2),
	CODE("TOS-host-redirect", 5, 3),
	TYPE("echo-request", 8),
	TYPE("ping", 8),
	TYPE("router-advertisement", 9),
	TYPE("router-solicitation", 10),
	TYPE("time-exceeded", 11),
	TYPE("ttl-exceeded", 11),
	CODE("ttl-zero-during-transit", 11, 0),
	CODE("ttl-zero-during-reassembly", 11, 1),
	TYPE("parameter-problem", 12),
	CODE("ip-header-bad", 12, 0),
	CODE("required-option-missing", 12, 1),
	TYPE("timestamp-request", 13),
	TYPE("timestamp-reply", 14),
	TYPE("info-request", 15),
	TYPE("info-reply", 16),
	TYPE("address-mask-request", 17),
	TYPE("address-mask-reply", 18),
};

#define ANY_CODE -1 /* in a twin: whatever code, carried over */
#define NO_CODE -2  /* in a twin: the type without a code */

/* RFC 7915 §4.2 and §4.4 where they translate; router discovery and redirects by their role. */
static const struct icmp_twin {
	uint8_t type4;
	int code4;
	uint8_t type6;
	uint8_t code6;
} icmp_twins[] = {
	{ 0, ANY_CODE, 129, 0 },  { 8, ANY_CODE, 128, 0 }, { 3, NO_CODE, 1, 0 },
	{ 3, 0, 1, 0 },		  { 3, 1, 1, 3 },	   { 3, 3, 1, 4 },
	{ 3, 13, 1, 1 },	  { 5, NO_CODE, 137, 0 },  { 9, ANY_CODE, 134, 0 },
	{ 10, ANY_CODE, 133, 0 }, { 11, ANY_CODE, 3, 0 },  { 12, NO_CODE, 4, 0 },
	{ 12, 0, 4, 0 },
};

static struct icmp_type icmp_twin(struct icmp_type v4)
{
	for (size_t i = 0; i < ARRAY_SIZE(icmp_twins); i++) {
		const struct icmp_twin *twin = &icmp_twins[i];

		if (twin->type4 != v4.type)
			continue;
		if (twin->code4 != ANY_CODE && twin->code4 != (v4.has_code ? v4.code : NO_CODE))
			continue;
		return (struct icmp_type){
			.set = true,
			.has_code = v4.has_code,
			.type = twin->type6,
			.code = twin->code4 == ANY_CODE ? v4.code : twin->code6,
		};
	}
	return (struct icmp_type){ .set = false };
}

static bool parse_byte(const char *s, size_t len, uint8_t *ret_byte)
{
	uint64_t value;

	if (!parse_uint(s, len, 0, UINT8_MAX, &value))
		return false;
	*ret_byte = (uint8_t)value;
	return true;
}

static bool parse_type(const char *s, size_t len, struct icmp_type *ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(icmp_names); i++) {
		const struct icmp_name *known = &icmp_names[i];

		if (strlen(known->name) != len || strncasecmp(known->name, s, len) != 0)
			continue;
		*ret_type = (struct icmp_type){
			.set = true,
			.has_code = known->has_code,
			.type = known->type,
			.code = known->code,
		};
		return true;
	}

	struct icmp_type number = { .set = true };

	if (!parse_byte(s, len, &number.type))
		return false;
	*ret_type = number;
	return true;
}

bool icmp_type_parse(const char *s, size_t len, struct icmp_type *ret_v4, struct icmp_type *ret_v6)
{
	if (len == 3 && strncasecmp(s, "any", len) == 0) {
		*ret_v4 = *ret_v6 = (struct icmp_type){ .set = true, .any = true };
		return true;
	}

	const char *slash = memchr(s, '/', len);
	size_t type_len = slash ? (size_t)(slash - s) : len;
	struct icmp_type v4;

	if (!parse_type(s, type_len, &v4))
		return false;
	if (slash) {
		if (v4.has_code || !parse_byte(slash + 1, len - type_len - 1, &v4.code))
			return false;
		v4.has_code = true;
	}
	*ret_v4 = v4;
	*ret_v6 = icmp_twin(v4);
	return true;
}

const char *icmp_type_nearest(const char *s)
{
	const char *words[ARRAY_SIZE(icmp_names) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(icmp_names); i++)
		words[i] = icmp_names[i].name;
	words[ARRAY_SIZE(icmp_names)] = "any";
	return nearest_word(s, words, ARRAY_SIZE(words));
}
