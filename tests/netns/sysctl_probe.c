/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl_probe link NAME | learn NAME | bridge | bridge-check | raise PATH VALUE: calls the function of that
 * name and prints what it answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/system/link.h"
#include "dockside/system/link_learn.h"
#include "dockside/system/sysctl.h"

static int probe_link(const char *name, struct err *err)
{
	static const char *const names[] = {
		[LINK_MISSING] = "missing",
		[LINK_BRIDGE] = "bridge",
		[LINK_OTHER] = "other",
	};
	struct links links;
	int r = links_read(&links, err);

	if (r == 0) {
		puts(names[links_kind(&links, name)]);
		links_free(&links);
	}
	return r;
}

/* Does not ask whether it is a bridge. */
static int probe_learn(const char *name, struct err *err)
{
	struct links links;
	const struct link *link;
	int r = links_read(&links, err);

	if (r < 0)
		return r;
	link = links_find(&links, name);
	if (!link)
		r = err_set(err, 19, "no interface %s", name);
	else if (link->bridge && !link->learns)
		puts("it does not learn");
	else
		r = link_learn_stop(link, err);
	links_free(&links);
	return r;
}

static int probe_bridge(struct err *err)
{
	bool changed;
	int r = sysctl_bridge_netfilter(&changed, err);

	if (r == 0)
		puts(changed ? "changed" : "unchanged");
	return r;
}

static int probe_raise(const char *path, const char *text, struct err *err)
{
	uint64_t value;

	if (!parse_uint(text, strlen(text), 0, UINT64_MAX, &value))
		return err_set(err, 22, "not a number: %s", text);
	return sysctl_raise(path, value, err);
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int r;

	if (argc == 3 && strcmp(argv[1], "link") == 0)
		r = probe_link(argv[2], &err);
	else if (argc == 3 && strcmp(argv[1], "learn") == 0)
		r = probe_learn(argv[2], &err);
	else if (argc == 2 && strcmp(argv[1], "bridge") == 0)
		r = probe_bridge(&err);
	else if (argc == 2 && strcmp(argv[1], "bridge-check") == 0)
		r = sysctl_bridge_netfilter_check(&err);
	else if (argc == 4 && strcmp(argv[1], "raise") == 0)
		r = probe_raise(argv[2], argv[3], &err);
	else
		r = err_set(&err, 22, "usage: sysctl_probe link|learn|bridge|bridge-check|raise …");
	if (r < 0)
		puts(err.text);
	err_free(&err);
	return r < 0;
}
