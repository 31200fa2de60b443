/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_probe TIMEOUT-MS NAME…: what dns_resolve_all() answers for the names, one line each:
 * "NAME dns TTL ADDRESS…", "NAME static ADDRESS…" or "NAME failed: WHY", or two of these words with
 * a slash between them where the families differ; then "N ms" on standard error.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/dns.h"

static int host_cmp(const void *a, const void *b)
{
	return strcmp(((const struct resolved_name *)a)->name,
		      ((const struct resolved_name *)b)->name);
}

static void print_host(const struct resolved_name *host)
{
	static const char *const words[] = {
		[RESOLVED_UNASKED] = "unasked",
		[RESOLVED_FAILED] = "failed",
		[RESOLVED_DNS] = "dns",
		[RESOLVED_STATIC] = "static",
	};
	enum resolved_state v4 = host->states[FAMILY_IPV4], v6 = host->states[FAMILY_IPV6];
	unsigned ttl_s = UINT_MAX;
	struct buf errors = { 0 };
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < host->n_addrs; i++) {
		enum family family = host->addrs[i].family;

		if (host->states[family] == RESOLVED_DNS && host->ttls_s[family] < ttl_s)
			ttl_s = host->ttls_s[family];
	}
	printf("%s %s", host->name, words[v4]);
	if (v6 != v4)
		printf("/%s", words[v6]);
	if (ttl_s != UINT_MAX)
		printf(" %u", ttl_s);
	for (size_t i = 0; i < host->n_addrs; i++)
		printf(" %s", ipaddr_format(&host->addrs[i], text));
	answers_error(host->errors, &errors);
	if (errors.len > 0)
		printf(": %s", errors.data);
	buf_free(&errors);
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct resolved resolved = { 0 };
	struct err err = { 0 };
	struct timespec start, end;
	uint64_t timeout_ms;
	int r;

	if (argc < 3 || !parse_uint(argv[1], strlen(argv[1]), 0, 100000, &timeout_ms)) {
		fprintf(stderr, "usage: dns_probe TIMEOUT-MS NAME…\n");
		return 2;
	}
	resolved.n = (size_t)argc - 2;
	resolved.items = xcalloc(resolved.n, sizeof(*resolved.items));
	for (size_t i = 0; i < resolved.n; i++)
		resolved.items[i].name = xstrdup(argv[i + 2]);
	qsort(resolved.items, resolved.n, sizeof(*resolved.items), host_cmp);

	clock_gettime(CLOCK_MONOTONIC, &start);
	r = dns_resolve_all(&resolved, (unsigned)timeout_ms, &err);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (r < 0)
		fprintf(stderr, "dns_probe: %s\n", err.text);
	for (size_t i = 0; i < resolved.n; i++)
		print_host(&resolved.items[i]);
	fprintf(stderr, "%lld ms\n",
		(long long)(end.tv_sec - start.tv_sec) * 1000 +
			(end.tv_nsec - start.tv_nsec) / 1000000);
	resolved_free(&resolved);
	err_free(&err);
	return r < 0;
}
