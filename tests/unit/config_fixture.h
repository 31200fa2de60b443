/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of config.h: two files, and the policy that comes of them. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"

struct fixture {
	struct policy policy;
	struct diags diags;
};

#define AMBER "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\"}]}"

static inline bool parse_files(struct fixture *f, const char *network, const char *firewall)
{
	policy_free(&f->policy);
	diags_free(&f->diags);
	f->policy.network_src = text_src("network.json", network);
	f->policy.firewall_src = text_src("firewall.json", firewall);
	return config_parse(&f->policy, &f->diags);
}

static inline void accept_files(struct fixture *f, const char *network, const char *firewall)
{
	if (!parse_files(f, network, firewall)) {
		diags_print(&f->diags, stderr);
		fail_msg("refused: %s %s", network, firewall);
	}
}

/* The policy of network amber with one list of rules. */
static inline const struct network *accept_rules(struct fixture *f, const char *list,
						 const char *rules)
{
	cleanup(cleanup_free) char *firewall =
		xasprintf("{\"ipsets\": {\"web\": [], \"db\": []},"
			  " \"networks\": {\"amber\": {\"%s\": [%s]}}}",
			  list, rules);

	accept_files(f, AMBER, firewall);
	return &f->policy.networks[0];
}

static inline const struct rule *accept_rule(struct fixture *f, const char *rule)
{
	const struct network *network = accept_rules(f, "egress", rule);

	assert_int_equal(network->n_egress, 1);
	return &network->egress[0];
}

static inline void assert_ip(const struct ipaddr *addr, const char *text)
{
	char s[ADDR_STRLEN];

	assert_string_equal(ipaddr_format(addr, s), text);
}

static inline void assert_prefix(const struct prefix *prefix, const char *text)
{
	char s[ADDR_STRLEN];

	assert_string_equal(prefix_format(prefix, s), text);
}

static inline void assert_ports(const struct rule *rule, const char *text)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < rule->n_ports; i++)
		buf_printf(&b, "%s%u-%u", i ? " " : "", rule->ports[i].lo, rule->ports[i].hi);
	assert_string_equal(buf_str(&b), text);
	buf_free(&b);
}

static inline int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct fixture));
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	diags_free(&f->diags);
	policy_free(&f->policy);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
