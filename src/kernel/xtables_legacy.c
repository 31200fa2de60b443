/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/kernel/xtables_legacy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* After netinet/in.h: it defines what that has, too. */
#include <linux/netfilter_ipv4/ip_tables.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

#define OLD_PREFIX "DOCKSIDE-"	/* of every chain of the iptables version */
#define NAMED_MAX 8		/* chains that a message names */
#define ENTRIES_MAX (64u << 20) /* bytes; far more than any host has */

/* Asking the kernel for a table makes it: first see whether somebody else has. */
static bool table_exists(const char *table)
{
	cleanup(cleanup_fclose) FILE *names = fopen("/proc/self/net/ip_tables_names", "re");
	char line[XT_TABLE_MAXNAMELEN + 2];

	while (names && fgets(line, sizeof(line), names)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, table) == 0)
			return true;
	}
	return false;
}

static struct ipt_get_entries *read_entries(const char *table)
{
	cleanup(cleanup_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ipt_getinfo info = { 0 };
	socklen_t len = sizeof(info);
	struct ipt_get_entries *entries;

	snprintf(info.name, sizeof(info.name), "%s", table);
	if (fd < 0 || getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len) < 0 ||
	    info.size > ENTRIES_MAX)
		return NULL;
	entries = xcalloc(1, sizeof(*entries) + info.size);
	memcpy(entries->name, info.name, sizeof(entries->name));
	entries->size = info.size;
	len = (socklen_t)(sizeof(*entries) + info.size);
	if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &len) < 0) {
		free(entries); /* changed meanwhile: the next look will see */
		return NULL;
	}
	return entries;
}

/* A chain begins with an entry whose target is called ERROR and has the chain's name; NULL for any other. */
static const struct xt_error_target *chain_of(const struct ipt_entry *entry)
{
	const struct xt_error_target *target =
		(const void *)((const char *)entry + entry->target_offset);

	return strcmp(target->target.u.user.name, XT_ERROR_TARGET) == 0 ? target : NULL;
}

/* Returns true to end the walk: this name was looked for. */
typedef bool (*chain_fn)(void *data, const char *table, const char *name);

static bool each_chain(const char *table, chain_fn fn, void *data)
{
	cleanup(cleanup_free) struct ipt_get_entries *entries =
		table_exists(table) ? read_entries(table) : NULL;
	size_t at = 0;

	while (entries && at + sizeof(struct ipt_entry) <= entries->size) {
		const struct ipt_entry *entry =
			(const void *)((const char *)entries->entrytable + at);
		const struct xt_error_target *chain = chain_of(entry);
		char name[sizeof(chain->errorname) + 1];

		if (chain) {
			snprintf(name, sizeof(name), "%.*s", (int)sizeof(chain->errorname),
				 chain->errorname);
			if (fn(data, table, name))
				return true;
		}
		if (entry->next_offset == 0)
			break;
		at += entry->next_offset;
	}
	return false;
}

static bool is_name(void *data, const char *table, const char *name)
{
	(void)table;
	return strcmp(name, data) == 0;
}

bool xtables_legacy_has_chain(const char *name)
{
	cleanup(cleanup_free) char *wanted = xstrdup(name);

	return each_chain("filter", is_name, wanted);
}

struct leftovers {
	struct buf names;
	size_t n;
};

static bool collect_old(void *data, const char *table, const char *name)
{
	struct leftovers *left = data;

	if (strncmp(name, OLD_PREFIX, strlen(OLD_PREFIX)) != 0)
		return false;
	left->n++;
	if (left->n <= NAMED_MAX)
		buf_printf(&left->names, "%s%s of %s", left->n > 1 ? ", " : "", name, table);
	else if (left->n == NAMED_MAX + 1)
		buf_puts(&left->names, ", …");
	return false;
}

char *xtables_legacy_leftovers(void)
{
	struct leftovers left = { .n = 0 };
	char *text = NULL;

	each_chain("filter", collect_old, &left);
	each_chain("nat", collect_old, &left);
	if (left.n > 0)
		text = xasprintf(
			"the rules of the iptables version are in force beside ours, in the "
			"tables of iptables-legacy (%s): stop it, then \"iptables-legacy-save "
			"-c | grep -v " OLD_PREFIX " | iptables-legacy-restore -c\" removes "
			"them",
			buf_str(&left.names));
	buf_free(&left.names);
	return text;
}
