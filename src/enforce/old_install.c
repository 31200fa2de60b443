/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/old_install.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/kernel/ipset.h"
#include "dockside/kernel/xtables_legacy.h"
#include "dockside/system/log.h"

#define SEEN "--seen" /* its second set of each ipset */

void old_install_warn_of_legacy(void)
{
	cleanup(cleanup_free) char *text = xtables_legacy_leftovers();

	if (text)
		log_warning("%s", text);
}

static void remove_ipset(const char *name)
{
	struct err err = { 0 };

	if (ipset_destroy(name, &err) < 0)
		log_warning("%s; it stays", err.text);
	else
		log_info("removed ipset %s of the iptables version", name);
	err_free(&err);
}

static bool is_listed(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_ipset_of(const struct policy *policy, const char *name)
{
	for (size_t i = 0; policy && i < policy->n_ipsets; i++)
		if (strcmp(policy->ipsets[i].name, name) == 0)
			return true;
	return false;
}

/* NAME to NAME--seen and back. */
static char *twin_of(const char *name)
{
	size_t len = strlen(name), suffix = strlen(SEEN);

	if (len > suffix && strcmp(name + len - suffix, SEEN) == 0)
		return xstrndup(name, len - suffix);
	return xasprintf("%s" SEEN, name);
}

void old_install_remove_ipsets(const struct policy *policy, bool took_over)
{
	struct err err = { 0 };
	char **names = NULL;
	size_t n = 0;

	if (ipset_list(&names, &n, &err) < 0)
		log_warning("%s; if the iptables version left any, they stay", err.text);
	for (size_t i = 0; i < n; i++) {
		cleanup(cleanup_free) char *twin = twin_of(names[i]);

		int signs = took_over + is_listed(names, n, twin) +
			    (is_ipset_of(policy, names[i]) || is_ipset_of(policy, twin));

		if (signs >= 2)
			remove_ipset(names[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	err_free(&err);
}
