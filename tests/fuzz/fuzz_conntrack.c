/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections that we read from any bytes of a dump are sound. */
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/kernel/conntrack.h"

#include "must.h"

static void check(void *data, const struct nlmsghdr *entry, const struct flow *flow)
{
	char text[ADDR_STRLEN];

	++*(size_t *)data;
	must(entry->nlmsg_len >= sizeof(struct nlmsghdr));
	must(flow->src.family == FAMILY_IPV4 || flow->src.family == FAMILY_IPV6);
	must(strlen(ipaddr_format(&flow->src, text)) > 0);
	must(strlen(ipaddr_format(&flow->dst, text)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	char *copy = malloc(size ? size : 1);
	size_t n = 0;

	must(copy);
	if (size)
		memcpy(copy, data, size);
	must(conntrack_parse(copy, size, check, &n) <= 1);
	must(n <= size / sizeof(struct nlmsghdr));
	free(copy);
	return 0;
}
