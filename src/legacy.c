/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/legacy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* After netinet/in.h: it defines what that has, too. */
#include <linux/netfilter_ipv4/ip_tables.h>

#include "dockside/util.h"

#define FILTER "filter"
#define ENTRIES_MAX (64u << 20) /* bytes; far more than any host has */

/* Asking the kernel for a table makes it: first see whether somebody else has. */
static bool table_exists(void)
{
	cleanup(cleanup_fclose) FILE *names = fopen("/proc/self/net/ip_tables_names", "re");
	char line[XT_TABLE_MAXNAMELEN + 2];

	while (names && fgets(line, sizeof(line), names))
		if (strcmp(line, FILTER "\n") == 0)
			return true;
	return false;
}

static struct ipt_get_entries *read_entries(void)
{
	cleanup(cleanup_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ipt_getinfo info = { .name = FILTER };
	socklen_t len = sizeof(info);
	struct ipt_get_entries *entries;

	if (fd < 0 || getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len) < 0 ||
	    info.size > ENTRIES_MAX)
		return NULL;
	entries = xcalloc(1, sizeof(*entries) + info.size);
	memcpy(entries->name, FILTER, sizeof(FILTER));
	entries->size = info.size;
	len = (socklen_t)(sizeof(*entries) + info.size);
	if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &len) < 0) {
		free(entries); /* changed meanwhile: the next look will see */
		return NULL;
	}
	return entries;
}

/* A chain begins with an entry whose target is called ERROR and has the chain's name. */
static bool begins_chain(const struct ipt_entry *entry, const char *name)
{
	const struct xt_error_target *target =
		(const void *)((const char *)entry + entry->target_offset);

	return strcmp(target->target.u.user.name, XT_ERROR_TARGET) == 0 &&
	       strncmp(target->errorname, name, sizeof(target->errorname)) == 0;
}

bool legacy_has_chain(const char *name)
{
	cleanup(cleanup_free) struct ipt_get_entries *entries =
		table_exists() ? read_entries() : NULL;
	size_t at = 0;

	while (entries && at + sizeof(struct ipt_entry) <= entries->size) {
		const struct ipt_entry *entry =
			(const void *)((const char *)entries->entrytable + at);

		if (begins_chain(entry, name))
			return true;
		if (entry->next_offset == 0)
			break;
		at += entry->next_offset;
	}
	return false;
}
