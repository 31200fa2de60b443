/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inputs.h"

#include <errno.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/system/dns.h"
#include "dockside/system/log.h"
#include "dockside/system/own_addrs.h"
#include "dockside/system/save.h"
#include "term.h"

/* Long enough for a resolver's second try; the daemon waits no longer before it is ready, either (doc/design.md,
 * "Ready without DNS"). */
#define RESOLVE_TIMEOUT_MS 5000

bool read_policy(const struct files_options *files, struct policy *ret_policy,
		 struct diags *ret_diags)
{
	if (save_pending(files->network_config, files->firewall_config))
		log_warning("a save of the configuration files is not complete: they may be of two "
			    "versions; dsfw-nft apply, or the daemon when it starts, repairs that");
	/* Straight into the caller's: its locations point into it, so that it cannot be moved. */
	*ret_policy = (struct policy){ 0 };
	return config_load(files->network_config, files->firewall_config, ret_policy, ret_diags);
}

bool load_policy(const struct files_options *files, enum load_for what, struct policy *ret_policy)
{
	struct diags diags = { 0 };
	bool ok = read_policy(files, ret_policy, &diags);

	if (what == LOAD_TO_ENFORCE)
		diags_drop(&diags, SEVERITY_NOTE);
	diags_print(&diags, stderr);
	diags_free(&diags);
	if (!ok)
		policy_free(ret_policy);
	return ok;
}

static void warn_of_host(const struct resolved_name *host, enum resolve_for what)
{
	bool v4 = host->errors[FAMILY_IPV4], v6 = host->errors[FAMILY_IPV6];
	bool actual = what == RESOLVE_FOR_KERNEL;
	struct buf b = { 0 };

	answers_error(host->errors, &b);
	if (v4 && v6)
		log_warning("%s: no address: %s; rules on it match %snothing", host->name,
			    buf_str(&b), actual ? "what the kernel already holds for it, or " : "");
	else if (v4 || v6)
		log_warning("%s: %s; rules on it match %s its %s addresses%s", host->name,
			    buf_str(&b), actual ? "those of" : "none of", v4 ? "IPv4" : "IPv6",
			    actual ? " that the kernel already holds, or none" : "");
	else if (host->n_addrs == 0)
		log_warning("%s: no address: DNS knows the name, but has none for it; rules on it "
			    "match nothing%s",
			    host->name, actual ? " once what the kernel holds has aged" : "");
	buf_free(&b);
}

static void warn_of_refused(const struct policy *policy, const struct resolved *resolved,
			    const struct resolved_name *host)
{
	for (size_t i = 0; i < host->n_addrs; i++) {
		struct buf b = { 0 };

		if (!never_reason(resolved->never, &host->addrs[i]) ||
		    !never_opens_name(policy, host->name))
			continue;
		never_tell(resolved->never, host->name, &host->addrs[i], &b);
		log_warning("%s", buf_str(&b));
		buf_free(&b);
	}
}

/* Finds the addresses that names never open and that no container has. It fails closed: without this host's
 * addresses a name might open them. */
static int find_never(const struct policy *policy, struct resolved *resolved, struct err *err)
{
	struct own_addrs own;
	int r = own_addrs_read(&own, err);

	if (r < 0)
		return r;
	never_set_own(&resolved->own_never, own.items, own.n);
	never_set_policy(&resolved->own_never, policy);
	resolved_set_never(resolved, &resolved->own_never);
	own_addrs_free(&own);
	return 0;
}

int resolve_names(const struct policy *policy, enum resolve_for what, struct resolved *ret_resolved,
		  struct err *err)
{
	int r;

	resolved_collect(policy, ret_resolved);
	r = find_never(policy, ret_resolved, err);
	if (r < 0 || ret_resolved->n == 0)
		return r;
	term_progress("waiting for DNS");
	r = dns_resolve_all(ret_resolved, RESOLVE_TIMEOUT_MS, err);
	term_progress_end();
	if (r >= 0) /* targets of NAT are found anew */
		resolved_set_never(ret_resolved, ret_resolved->never);
	for (size_t i = 0; r >= 0 && i < ret_resolved->n; i++) {
		warn_of_host(&ret_resolved->items[i], what);
		warn_of_refused(policy, ret_resolved, &ret_resolved->items[i]);
	}
	return r;
}

int resolve_name(const char *name, struct resolved *ret_resolved, struct err *err)
{
	struct resolved_name *host = xcalloc(1, sizeof(*host));
	int r;

	host->name = lower_case(xstrdup(name));
	*ret_resolved = (struct resolved){ .items = host, .n = 1 };
	r = dns_resolve_all(ret_resolved, RESOLVE_TIMEOUT_MS, err);
	if (r >= 0)
		warn_of_host(host, RESOLVE_FOR_TEXT);
	return r;
}
