/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name that we read from any bytes of a DNS reply is fit to be shown, and its memory stays in
 * bounds. */
#include <stdlib.h>
#include <string.h>

#include "dockside/names/lookups.h"
#include "dockside/system/dns_reply.h"

#include "must.h"

static void check(const struct dns_reply *reply)
{
	static const char fit[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strnlen(reply->name, sizeof(reply->name));

	must(reply->n_addrs <= DNS_REPLY_ADDRS_MAX);
	must(len > 0 && len <= HOSTNAME_MAX && strspn(reply->name, fit) == len);
	for (size_t i = 0; i < reply->n_addrs; i++) {
		must(reply->addrs[i].family == reply->addrs[0].family);
		must(!ipaddr_is_unspecified(&reply->addrs[i]));
	}
}

/* It lives from one input to the next, so that there are many in it. */
static void remember(const struct dns_reply *reply)
{
	static struct lookups lookups;
	static uint64_t now_ms;
	char bridge[] = "net0";

	bridge[3] = (char)('0' + reply->addrs[0].b[0] % 8);
	now_ms += reply->addrs[0].b[1] == 0 ? LOOKUPS_AGE_MS / 2 : 1;
	for (size_t i = 0; i < reply->n_addrs; i++)
		lookups_add(&lookups, bridge, &reply->addrs[i], reply->name, now_ms);
	must(lookups.n <= LOOKUPS_MAX && lookups.n >= 1);
	for (size_t i = 0; i < reply->n_addrs; i++) {
		const char *found = lookups_find(&lookups, bridge, &reply->addrs[i], now_ms);

		must(found && strcmp(found, reply->name) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	uint8_t *copy = malloc(size ? size : 1);
	struct dns_reply reply;

	must(copy);
	if (size)
		memcpy(copy, data, size);
	if (dns_reply_parse(copy, size, &reply) && reply.n_addrs > 0) {
		check(&reply);
		remember(&reply);
	}
	free(copy);
	return 0;
}
