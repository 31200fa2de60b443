/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends the conversations with name servers that are older than a change of the DNS gates in the kernel (dns_flows.h). */
#ifndef DOCKSIDE_ENFORCE_DNS_ENDS_H
#define DOCKSIDE_ENFORCE_DNS_ENDS_H

#include <stddef.h>

#include "dockside/base/err.h"
#include "dockside/policy/model.h"
#include "dockside/table/dns_flows.h"

/* Tells by the policy and by the interfaces of this moment whose conversations they are; dns_flows_free() when done.
 * Returns 0 or -errno. */
int dns_ends_find(const struct policy *policy, struct dns_flows *ret_flows, struct err *err);

/* Ends them before it returns, a second at most with a million connections. *ret_n: how many. Returns 0 or -errno. */
int dns_ends_now(const struct policy *policy, size_t *ret_n, struct err *err);

#endif
