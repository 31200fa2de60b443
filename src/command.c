/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/command.h"

#include <errno.h>

#include "dockside/config.h"
#include "dockside/dns.h"
#include "dockside/link.h"
#include "dockside/log.h"
#include "dockside/own.h"
#include "dockside/save.h"
#include "dockside/term.h"

/* Long enough for a resolver's second try; SPEC §6 waits no longer for DNS either. */
#define RESOLVE_TIMEOUT_MS 5000

int recover_files(const struct options *options, struct err *err)
{
	enum save_recovery recovery;
	int r = save_recover(options->network_config, options->firewall_config, NULL, &recovery,
			     err);

	if (r >= 0 && recovery == SAVE_FINISHED)
		log_warning("finished a save of the configuration that was interrupted");
	else if (r >= 0 && recovery == SAVE_UNDONE)
		log_warning("undid a save of the configuration that was interrupted");
	return r;
}

bool load_policy(const struct options *options, struct policy *ret_policy)
{
	struct diags diags = { 0 };
	bool ok;

	if (save_pending(options->network_config, options->firewall_config))
		log_warning("a save of the configuration files is not complete: they may be of two "
			    "versions; dsfw-nft apply, or the daemon when it starts, repairs that");
	/* Straight into the caller's: its locations point into it, so that it cannot be moved. */
	*ret_policy = (struct policy){ 0 };
	ok = config_load(options->network_config, options->firewall_config, ret_policy, &diags);
	diags_print(&diags, stderr);
	diags_free(&diags);
	if (!ok)
		policy_free(ret_policy);
	return ok;
}

static void warn_of_host(const struct host *host, enum resolve_for what)
{
	bool v4 = host->errors[FAMILY_IPV4], v6 = host->errors[FAMILY_IPV6];
	bool kernel = what == RESOLVE_FOR_KERNEL;
	struct buf b = { 0 };

	answers_error(host->errors, &b);
	if (v4 && v6)
		log_warning("%s: no address: %s; rules on it match %snothing", host->name,
			    buf_str(&b), kernel ? "what the kernel already holds for it, or " : "");
	else if (v4 || v6)
		log_warning("%s: %s; rules on it match %s its %s addresses%s", host->name,
			    buf_str(&b), kernel ? "those of" : "none of", v4 ? "IPv4" : "IPv6",
			    kernel ? " that the kernel already holds, or none" : "");
	else if (host->n_addrs == 0)
		log_warning("%s: no address: DNS knows the name, but has none for it; rules on it "
			    "match nothing%s",
			    host->name, kernel ? " once what the kernel holds has aged" : "");
	buf_free(&b);
}

static void warn_of_refused(const struct policy *policy, const struct hosts *hosts,
			    const struct host *host)
{
	for (size_t i = 0; i < host->n_addrs; i++) {
		struct buf b = { 0 };

		if (!never_reason(hosts->never, &host->addrs[i]) ||
		    !never_opens_name(policy, host->name))
			continue;
		never_tell(hosts->never, host->name, &host->addrs[i], &b);
		log_warning("%s", buf_str(&b));
		buf_free(&b);
	}
}

/* What names never open, and who no container is. Without knowing this host's addresses they might. */
static int find_never(const struct policy *policy, struct hosts *hosts, struct err *err)
{
	struct own_addrs own;
	int r = own_addrs_read(&own, err);

	if (r < 0)
		return r;
	never_set_own(&hosts->own_never, own.items, own.n);
	never_set_policy(&hosts->own_never, policy);
	hosts_set_never(hosts, &hosts->own_never);
	own_addrs_free(&own);
	return 0;
}

int resolve_names(const struct policy *policy, enum resolve_for what, struct hosts *ret_hosts,
		  struct err *err)
{
	int r;

	hosts_collect(policy, ret_hosts);
	r = find_never(policy, ret_hosts, err);
	if (r < 0 || ret_hosts->n == 0)
		return r;
	term_progress("waiting for DNS");
	r = dns_resolve_all(ret_hosts, RESOLVE_TIMEOUT_MS, err);
	term_progress_end();
	if (r >= 0) /* targets of NAT are found anew */
		hosts_set_never(ret_hosts, ret_hosts->never);
	for (size_t i = 0; r >= 0 && i < ret_hosts->n; i++) {
		warn_of_host(&ret_hosts->items[i], what);
		warn_of_refused(policy, ret_hosts, &ret_hosts->items[i]);
	}
	return r;
}

int resolve_name(const char *name, struct hosts *ret_hosts, struct err *err)
{
	struct host *host = xcalloc(1, sizeof(*host));
	int r;

	host->name = lower_case(xstrdup(name));
	*ret_hosts = (struct hosts){ .items = host, .n = 1 };
	r = dns_resolve_all(ret_hosts, RESOLVE_TIMEOUT_MS, err);
	if (r >= 0)
		warn_of_host(host, RESOLVE_FOR_TEXT);
	return r;
}

int check_bridges(const struct policy *policy, struct err *err)
{
	struct links links;
	int r = links_read(&links, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (network_managed(network) && links_kind(&links, network->bridge) == LINK_OTHER)
			r = err_set(err, EEXIST,
				    "network %s: interface %s exists and is not a bridge; its "
				    "policy would be enforced on that interface: rename the "
				    "network",
				    network->name, network->bridge);
	}
	links_free(&links);
	return r;
}
