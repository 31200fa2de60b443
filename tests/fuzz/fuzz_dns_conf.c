/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With any text in resolv.conf and /etc/hosts, our settings stay within their limits, and every
 * name is found again. */
#include <stdlib.h>
#include <string.h>

#include "system/dns_conf.h"
#include "system/dns_hosts.h"

#include "must.h"

static void check_conf(const char *text, size_t size)
{
	struct dns_conf conf;

	dns_conf_parse(text, size, "host.example", &conf);
	must(conf.n_servers >= 1 && conf.n_servers <= DNS_SERVERS_MAX);
	must(conf.n_search <= DNS_SEARCH_MAX && conf.ndots <= 15);
	must(conf.timeout_s >= 1 && conf.timeout_s <= 30);
	must(conf.attempts >= 1 && conf.attempts <= 5);
	for (size_t i = 0; i < conf.n_servers; i++)
		must(strnlen(conf.servers[i].zone, sizeof(conf.servers[i].zone)) <= DNS_ZONE_MAX);
	for (size_t i = 0; i < dns_conf_candidates(&conf); i++)
		free(dns_conf_candidate(&conf, "www.a", i));
	dns_conf_free(&conf);
}

static void check_hosts(const char *text, size_t size)
{
	const struct dns_hosts_entry *found;
	struct dns_hosts hosts;

	dns_hosts_parse(text, size, &hosts);
	for (size_t i = 0; i < hosts.n; i++) {
		size_t n = dns_hosts_find(&hosts, hosts.entries[i].name, &found);

		must(n > 0 && found <= &hosts.entries[i] && found + n > &hosts.entries[i]);
		must(i == 0 || strcmp(hosts.entries[i - 1].name, hosts.entries[i].name) <= 0);
	}
	dns_hosts_free(&hosts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	char *copy = malloc(size ? size : 1);

	must(copy);
	if (size)
		memcpy(copy, data, size);
	check_conf(copy, size);
	check_hosts(copy, size);
	free(copy);
	return 0;
}
