/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every text that a parser of addr.h accepts has one canonical text, which means the same. */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"

#include "must.h"

static void fuzz_ipaddr(const char *s, size_t len)
{
	struct ipaddr addr, again;
	struct prefix prefix;
	char text[ADDR_STRLEN];

	if (!ipaddr_parse(s, len, &addr))
		return;
	ipaddr_format(&addr, text);
	must(ipaddr_parse(text, strlen(text), &again));
	must(memcmp(&addr, &again, sizeof(addr)) == 0);
	must(!(ipaddr_is_unspecified(&addr) && ipaddr_is_multicast(&addr)));
	/* An address is a prefix of full length, and no name. */
	must(prefix_parse(s, len, &prefix));
	must(prefix.len == 8 * family_bytes(addr.family));
	must(ipaddr_cmp(&prefix.addr, &addr) == 0);
	must(!hostname_valid(s, len));
}

static void fuzz_prefix(const char *s, size_t len)
{
	struct prefix prefix, again;
	struct ipaddr first, last, host;
	char text[ADDR_STRLEN];

	if (!prefix_parse(s, len, &prefix))
		return;
	must(prefix.len <= 8 * family_bytes(prefix.addr.family));
	prefix_format(&prefix, text);
	must(prefix_parse(text, strlen(text), &again));
	must(prefix_cmp(&prefix, &again) == 0);
	must(prefix_covers(&prefix, &again));
	prefix_range(&prefix, &first, &last);
	host = prefix_first_host(&prefix);
	must(ipaddr_cmp(&first, &prefix.addr) == 0 && ipaddr_cmp(&first, &last) <= 0);
	must(ipaddr_cmp(&first, &host) <= 0 && ipaddr_cmp(&host, &last) <= 0);
	must(prefix_contains(&prefix, &first) && prefix_contains(&prefix, &last));
	if (prefix.len > 0) {
		again.len--; /* its host bits are not zero perhaps, but covering ignores them */
		must(prefix_covers(&again, &prefix) && !prefix_covers(&prefix, &again));
	}
}

static void fuzz_mac(const char *s, size_t len)
{
	uint8_t mac[6], again[6];
	char text[ADDR_STRLEN];

	if (!mac_parse(s, len, mac))
		return;
	mac_format(mac, text);
	must(mac_parse(text, strlen(text), again));
	must(memcmp(mac, again, sizeof(mac)) == 0);
}

static void fuzz_portrange(const char *s, size_t len)
{
	struct portrange range, copy[2];

	if (!portrange_parse(s, len, &range))
		return;
	must(range.lo >= 1 && range.lo <= range.hi);
	copy[0] = copy[1] = range;
	must(portranges_normalise(copy, 2) == 1);
	must(copy[0].lo == range.lo && copy[0].hi == range.hi);
}

/* Any bytes as ranges: the result is sorted, with gaps, and holds the same ports. */
static void fuzz_normalise(const uint8_t *data, size_t size)
{
	struct portrange ranges[32];
	static uint8_t before[UINT16_MAX + 1], after[UINT16_MAX + 1];
	size_t n = 0, kept;

	memset(before, 0, sizeof(before));
	memset(after, 0, sizeof(after));
	for (; n < 32 && 4 * n + 4 <= size; n++) {
		const uint8_t *p = data + 4 * n;
		uint16_t a = (uint16_t)(p[0] << 8 | p[1]), b = (uint16_t)(p[2] << 8 | p[3]);

		ranges[n] = (struct portrange){ .lo = a < b ? a : b, .hi = a < b ? b : a };
		memset(before + ranges[n].lo, 1, (size_t)(ranges[n].hi - ranges[n].lo) + 1);
	}
	kept = portranges_normalise(ranges, n);
	must(kept <= n);
	for (size_t i = 0; i < kept; i++) {
		must(ranges[i].lo <= ranges[i].hi);
		must(i == 0 || ranges[i].lo > ranges[i - 1].hi + 1);
		memset(after + ranges[i].lo, 1, (size_t)(ranges[i].hi - ranges[i].lo) + 1);
	}
	must(memcmp(before, after, sizeof(before)) == 0);
}

static void fuzz_hostname(const char *s, size_t len)
{
	if (!hostname_valid(s, len))
		return;
	must(len >= 1 && len <= 253);
	must(!memchr(s, '\0', len) && !memmem(s, len, "..", 2) && s[len - 1] != '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	char *s = malloc(size ? size : 1);

	must(s);
	if (size)
		memcpy(s, data, size);
	fuzz_ipaddr(s, size);
	fuzz_prefix(s, size);
	fuzz_mac(s, size);
	fuzz_portrange(s, size);
	fuzz_hostname(s, size);
	fuzz_normalise(data, size);
	free(s);
	return 0;
}
