/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "dockside/base/file.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_resolver.h"
#include "dockside/enforce/judge.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define DAEMON_JSON "/etc/docker/daemon.json"
#define SIZE_MAX_BYTES (1u << 20)

/* The file's text, which the caller frees; NULL: it cannot be read. */
static char *text_of(const char *path)
{
	char *text = NULL;
	size_t len;

	return read_file(path, SIZE_MAX_BYTES, &text, &len, NULL) < 0 ? NULL : text;
}

void judge_resolvers(struct resolvers *ret)
{
	cleanup(cleanup_free) char *resolv_conf = text_of(RESOLV_CONF);
	cleanup(cleanup_free) char *daemon_json = text_of(DAEMON_JSON);

	resolvers_of(resolv_conf, daemon_json, ret);
}

/* Resolvers that dockerd has from its command line, or from a file elsewhere, are not known: its API does not say. */
char *judge_dns(const struct policy *policy)
{
	cleanup(cleanup_free) char *resolv_conf = text_of(RESOLV_CONF);
	cleanup(cleanup_free) char *daemon_json = text_of(DAEMON_JSON);
	char addr[ADDR_STRLEN];

	if (!resolv_conf || !resolver_on_loopback(resolv_conf, addr) ||
	    (daemon_json && resolver_of_docker(daemon_json)))
		return NULL;
	return resolver_leak(policy, addr);
}
