/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts, and two files that are a policy. */
#ifndef POLICY_FIXTURE_H
#define POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

static inline struct src text_src(const char *name, const char *text)
{
	return (struct src){ .name = xstrdup(name), .text = xstrdup(text), .len = strlen(text) };
}

/* Into an empty policy; the files are network.json and firewall.json. */
static inline void policy_read(struct policy *policy, const char *network, const char *firewall)
{
	struct diags diags = { 0 };

	policy->network_src = text_src("network.json", network);
	policy->firewall_src = text_src("firewall.json", firewall);
	if (!config_parse(policy, &diags)) {
		diags_print(&diags, stderr);
		fail();
	}
	diags_free(&diags);
}

#endif
