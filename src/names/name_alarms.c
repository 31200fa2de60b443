/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/name_alarms.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"

struct teller {
	const struct names *names;
	alarm_fn on_alarm;
	void *data;
	size_t n;
};

static bool has_addresses(const struct teller *t, const char *host)
{
	const struct name *name = names_find(t->names, host);

	return name && name->n_addrs > 0;
}

static bool is_empty(const struct teller *t, const char *host)
{
	const struct name *name = names_find(t->names, host);

	return name && name_trouble(name) == NAME_EMPTY;
}

static void tell(struct teller *t, const struct network *network, const char *entry, size_t index,
		 struct loc loc, const char *what, const char *host)
{
	unsigned line, column;
	struct buf b = { 0 };

	t->n++;
	if (!t->on_alarm)
		return;
	buf_printf(&b, "%s: %s[%zu]", network->name, entry, index);
	if (loc.src) {
		loc_line_column(loc, &line, &column);
		buf_printf(&b, " at %s:%u:%u", loc.src->name, line, column);
	} else {
		buf_puts(&b, ", which is no longer configured,");
	}
	buf_printf(&b, " %s %s: no address of it is known", what, host);
	t->on_alarm(t->data, buf_str(&b));
	buf_free(&b);
}

static void tell_drop(struct teller *t, const struct policy *policy, const struct network *network,
		      size_t index)
{
	const struct rule *rule = &network->egress[index];
	const struct ipset *ipset = rule->to == DEST_IPSET ? &policy->ipsets[rule->ipset] : NULL;
	const char *const *resolved = ipset ? ipset->hostnames : &rule->hostname;
	size_t n = ipset ? ipset->n_hostnames : rule->to == DEST_HOSTNAME;

	for (size_t i = 0; i < n; i++)
		if (!has_addresses(t, resolved[i]) && !is_empty(t, resolved[i]))
			tell(t, network, "egress", rule->index, rule->loc, "lets pass what goes to",
			     resolved[i]);
}

/* Addresses that DNS gives for an allowed name, but that no name may open. */
static void tell_never(struct teller *t, const struct policy *policy)
{
	for (size_t i = 0; i < t->names->n; i++) {
		const struct name *name = &t->names->items[i];
		size_t n = name_refused(name, policy);

		t->n += n;
		for (size_t k = 0; n > 0 && t->on_alarm && k < name->n_addrs; k++) {
			struct buf b = { 0 };

			if (!name->addrs[k].never)
				continue;
			never_tell(t->names->never, name->name, &name->addrs[k].addr, &b);
			t->on_alarm(t->data, buf_str(&b));
			buf_free(&b);
		}
	}
}

size_t name_alarms(const struct policy *policy, const struct names *names, alarm_fn on_alarm,
		   void *data)
{
	struct teller t = { .names = names, .on_alarm = on_alarm, .data = data };

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress && !network->audit; k++)
			if (network->egress[k].action == ACTION_DROP)
				tell_drop(&t, policy, network, k);
		for (size_t k = 0; k < network->n_nat; k++)
			if (network->nat[k].to_host && !has_addresses(&t, network->nat[k].to_host))
				tell(&t, network, "nat", network->nat[k].index, network->nat[k].loc,
				     "redirects nothing to", network->nat[k].to_host);
	}
	tell_never(&t, policy);
	return t.n;
}
