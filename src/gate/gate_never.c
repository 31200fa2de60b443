/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_never.h"

#include "dockside/base/util.h"
#include "dockside/names/never.h"

#define PRIVATE "a private address"
#define SPECIAL "an address for special purposes"

static const struct {
	struct prefix prefix;
	const char *reason;
} ranges[] = {
	{ { { FAMILY_IPV4, { 0 } }, 8 }, SPECIAL },
	{ { { FAMILY_IPV4, { 10 } }, 8 }, PRIVATE },
	{ { { FAMILY_IPV4, { 100, 64 } }, 10 }, PRIVATE },
	{ { { FAMILY_IPV4, { 127 } }, 8 }, SPECIAL },
	{ { { FAMILY_IPV4, { 169, 254 } }, 16 }, SPECIAL },
	{ { { FAMILY_IPV4, { 172, 16 } }, 12 }, PRIVATE },
	{ { { FAMILY_IPV4, { 192, 0, 0 } }, 24 }, SPECIAL },
	{ { { FAMILY_IPV4, { 192, 0, 2 } }, 24 }, SPECIAL },
	{ { { FAMILY_IPV4, { 192, 168 } }, 16 }, PRIVATE },
	{ { { FAMILY_IPV4, { 198, 18 } }, 15 }, SPECIAL },
	{ { { FAMILY_IPV4, { 198, 51, 100 } }, 24 }, SPECIAL },
	{ { { FAMILY_IPV4, { 203, 0, 113 } }, 24 }, SPECIAL },
	{ { { FAMILY_IPV4, { 224 } }, 3 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0 } }, 8 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0x00, 0x64, 0xff, 0x9b } }, 96 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 } }, 48 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0x01, 0x00 } }, 64 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0x20, 0x01, 0x00 } }, 23 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0x20, 0x01, 0x0d, 0xb8 } }, 32 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0x20, 0x02 } }, 16 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0xfc } }, 7 }, PRIVATE },
	{ { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 }, SPECIAL },
	{ { { FAMILY_IPV6, { 0xfe, 0xc0 } }, 10 }, PRIVATE },
	{ { { FAMILY_IPV6, { 0xff } }, 8 }, SPECIAL },
};

static bool is_wanted(const struct gate_network *network, const struct ipaddr *addr)
{
	for (size_t i = 0; i < network->n_privates; i++)
		if (prefix_contains(&network->privates[i], addr))
			return true;
	return false;
}

const char *gate_never_reason(const struct gate_network *network, const struct ipaddr *addr)
{
	static const struct never nobodys = { 0 };
	const char *reason = never_reason(&nobodys, addr);

	if (reason)
		return reason;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (prefix_contains(&ranges[i].prefix, addr))
			return is_wanted(network, addr) ? NULL : ranges[i].reason;
	return NULL;
}
