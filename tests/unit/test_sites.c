/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites of external networks: Docker's word into a policy, into the file, and what the files give. */
#include "addr_fixture.h"
#include "config_fixture.h"

#include "dockside/docker/docker_sites.h"
#include "dockside/policy/draining.h"
#include "dockside/policy/sites.h"

#define RULES                                                                               \
	"{\"networks\": {\"shop_default\": {\"egress\": [{\"action\": \"drop\"}]}, \"b\": " \
	"{\"egress\": "                                                                     \
	"[{\"action\": \"drop\"}]}}}"
#define OTHER ", {\"name\": \"b\", \"subnet\": \"192.0.2.0/24\"}]}"

static struct site site_on(const char *bridge)
{
	return (struct site){
		.name = "shop_default",
		.bridge = bridge,
		.has_subnet = true,
		.subnet = prefix("172.18.0.0/16"),
		.gateway = addr("172.18.0.1"),
		.has_subnet6 = true,
		.subnet6 = prefix("fd77::/64"),
		.gateway6 = addr("fd77::9"),
	};
}

static const struct network *shop(struct fixture *f, const char *network)
{
	accept_files(f, network, RULES);
	return &f->policy.networks[0];
}

static void put(struct sites *sites, const char *bridge)
{
	struct site site = site_on(bridge);

	assert_true(sites_put(sites, &site));
	assert_false(sites_put(sites, &site));
}

static void test_follows(void **state)
{
	const struct network *n = shop(
		*state, "{\"networks\": [{\"name\": \"shop_default\", \"external\": true}" OTHER);
	struct fixture *f = *state;
	struct sites sites = { 0 };

	assert_true(n->external && !n->placed && !n->has_subnet);
	assert_true(network_has_policy(n));
	assert_false(network_managed(n));
	assert_string_not_equal(n->bridge, f->policy.networks[1].bridge);
	put(&sites, "br-0123456789ab");
	sites_apply(&sites, &f->policy);
	assert_true(network_managed(n));
	assert_string_equal(n->bridge, "br-0123456789ab");
	assert_string_equal(n->stem, "shop_default");
	assert_prefix(&n->subnet, "172.18.0.0/16");
	assert_ip(&n->gateway, "172.18.0.1");
	assert_prefix(&n->subnet6, "fd77::/64");
	assert_ip(&n->gateway6, "fd77::9");

	/* It is made anew, without IPv6. */
	struct site again = site_on("br-ba9876543210");

	again.has_subnet6 = false;
	again.subnet = prefix("172.19.0.0/16");
	assert_true(sites_put(&sites, &again));
	assert_int_equal(sites.n, 1);
	sites_apply(&sites, &f->policy);
	assert_string_equal(n->bridge, "br-ba9876543210");
	assert_prefix(&n->subnet, "172.19.0.0/16");
	assert_false(n->has_subnet6);
	assert_string_equal(f->policy.networks[1].bridge, "b"); /* ours stays */
	sites_forget(&sites, "shop_default");
	sites_apply(&sites, &f->policy);
	assert_false(n->placed);
	sites_free(&sites);
}

static void test_given(void **state)
{
	const struct network *n =
		shop(*state,
		     "{\"networks\": [{\"name\": \"shop_default\", \"external\": true, \"bridge\": "
		     "\"br-x\", \"subnet\": \"172.18.0.0/16\"}" OTHER);
	struct fixture *f = *state;
	struct sites sites = { 0 };
	struct site site = site_on("br-x");

	assert_true(n->placed);
	assert_ip(&n->gateway, "172.18.0.1");
	site.gateway = addr("172.18.0.254");
	sites_put(&sites, &site);
	sites_apply(&sites, &f->policy);
	assert_ip(&n->gateway, "172.18.0.254"); /* nobody gave that */
	assert_true(n->has_subnet6);
	/* On another bridge than the files say nothing of Docker's word is taken. */
	site.bridge = "br-y";
	site.subnet = prefix("172.20.0.0/16");
	sites_put(&sites, &site);
	sites_apply(&sites, &f->policy);
	assert_string_equal(n->bridge, "br-x");
	assert_prefix(&n->subnet, "172.18.0.0/16");
	assert_ip(&n->gateway, "172.18.0.1");
	assert_false(n->has_subnet6);
	sites_free(&sites);
}

static void test_trouble(void **state)
{
	const struct network *n = shop(
		*state, "{\"networks\": [{\"name\": \"shop_default\", \"external\": true}" OTHER);
	struct fixture *f = *state;
	struct sites sites = { 0 };

	put(&sites, "b");
	sites_apply(&sites, &f->policy);
	assert_false(n->placed);
	assert_non_null(strstr(n->site_trouble, "is network b's"));
	put(&sites, "FORWARD");
	sites_apply(&sites, &f->policy);
	assert_false(n->placed);
	assert_non_null(strstr(n->site_trouble, "cannot go by the name"));
	put(&sites, "x*");
	sites_apply(&sites, &f->policy);
	assert_false(n->placed);
	put(&sites, "br-1");
	sites_apply(&sites, &f->policy);
	assert_true(n->placed);
	assert_null(n->site_trouble);
	sites_free(&sites);
}

/* Docker gives a bridge's name to another network: the one from before is not there any more. */
static void test_one_bridge(void **state)
{
	const struct network *n = shop(
		*state, "{\"networks\": [{\"name\": \"shop_default\", \"external\": true}" OTHER);
	struct fixture *f = *state;
	struct docker_network network = {
		.id = "1", .name = "other", .driver = "bridge", .bridge = "br-1"
	};
	struct docker_networks list = { .items = &network, .n = 1 };
	struct site other = site_on("br-1");
	struct sites sites = { 0 };

	put(&sites, "br-1");
	other.name = "other";
	assert_true(sites_put(&sites, &other));
	assert_int_equal(sites.n, 1);
	assert_null(sites_find(&sites, "shop_default"));
	assert_string_equal(sites_find_bridge(&sites, "br-1")->name, "other");
	put(&sites, "br-1"); /* and back */
	assert_int_equal(sites.n, 1);
	sites_apply(&sites, &f->policy);
	assert_true(n->placed);

	/* By Docker's list, too; and the policy is another one then, although it does not have the other network. */
	assert_true(docker_sites_take(&list, &f->policy, &sites));
	sites_apply(&sites, &f->policy);
	assert_false(n->placed);
	assert_false(docker_sites_take(&list, &f->policy, &sites));
	sites_free(&sites);
}

static void test_file(void **state)
{
	struct sites sites = { 0 }, back = { 0 };
	struct fixture *f = *state;
	struct site other = site_on("br-other");
	struct buf b = { 0 };
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		"[{}]",
		"[{\"name\": \"a\"}]",
		"[{\"name\": \"a\", \"bridge\": \"b\", \"subnet\": \"x\"}]",
		"[{\"name\": \"a\", \"bridge\": \"b\", \"subnet\": \"10.0.0.0/8\"}]"
	};

	shop(f, "{\"networks\": [{\"name\": \"shop_default\", \"external\": true}" OTHER);
	assert_false(sites_write(&sites, &f->policy, &b));
	put(&sites, "br-1");
	other.name = "b"; /* not external */
	sites_put(&sites, &other);
	assert_true(sites_wanted(&f->policy, NULL));
	assert_true(sites_wanted(&f->policy, "shop_default"));
	assert_false(sites_wanted(&f->policy, "b"));
	buf_reset(&b);
	assert_true(sites_write(&sites, &f->policy, &b));
	assert_int_equal(sites_read(buf_str(&b), b.len, &back, NULL), 0);
	assert_int_equal(back.n, 1);
	assert_false(sites_put(&sites, &back.items[0]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(sites_read(bad[i], strlen(bad[i]), &back, NULL), 0);
	sites_free(&sites);
	sites_free(&back);
	buf_free(&b);
}

/* Its policy stays in force on the bridge that it had. */
static void test_drains(void **state)
{
	struct draining_docs none = { 0 }, docs;
	const char *bridge = "br-1";
	struct sites sites = { 0 };
	struct policy without = { 0 };
	struct fixture *f = *state;

	shop(f, "{\"networks\": [{\"name\": \"shop_default\", \"external\": true}" OTHER);
	put(&sites, bridge);
	sites_apply(&sites, &f->policy);
	draining_docs_make(&none, &f->policy, &bridge, 1, &docs);
	assert_int_equal(docs.n_closed, 0);
	/* Somebody has added it again, and it is elsewhere now: both have chains of their own. */
	policy_read(&without,
		    "{\"networks\": [{\"name\": \"shop_default\", \"external\": true, \"bridge\": "
		    "\"br-2\"}]}",
		    "{\"networks\": {\"shop_default\": {\"egress\": [{\"action\": \"drop\"}]}}}");
	assert_int_equal(draining_merge(&without, &docs, NULL), 0);
	assert_int_equal(without.n_networks, 2);
	assert_true(without.networks[1].draining && network_managed(&without.networks[1]));
	assert_string_equal(without.networks[1].bridge, "br-1");
	assert_string_not_equal(without.networks[1].stem, without.networks[0].stem);
	assert_int_equal(without.networks[1].n_egress, 1);
	policy_free(&without);
	draining_docs_free(&docs);
	sites_free(&sites);
}

/* ---- Docker's list ---- */

static void test_list(void **state)
{
	struct docker_network items[] = {
		{ .id = "a",
		  .name = "shop_default",
		  .driver = "bridge",
		  .bridge = "br-a",
		  .subnets = { { prefix("172.18.0.0/16"), addr("172.18.0.1") } },
		  .n_subnets = 1 },
		{ .id = "b", .name = "other", .driver = "bridge", .bridge = "br-b" },
		{ .id = "c", .name = "shop_default", .driver = "bridge", .bridge = "br-c" },
	};
	struct docker_networks networks = { .items = items, .n = 2 };
	struct sites sites = { 0 };
	struct fixture *f = *state;

	shop(f, "{\"networks\": [{\"name\": \"shop_default\", \"external\": true}" OTHER);
	assert_true(docker_sites_take(&networks, &f->policy, &sites));
	assert_int_equal(sites.n, 2); /* another policy may have the other */
	assert_false(docker_sites_take(&networks, &f->policy, &sites));
	networks.n = 3; /* two of that name: nobody knows which */
	assert_false(docker_sites_take(&networks, &f->policy, &sites));
	assert_string_equal(sites_find(&sites, "shop_default")->bridge, "br-a");
	networks.n = 0; /* it stays where it was, the other is forgotten */
	assert_false(docker_sites_take(&networks, &f->policy, &sites));
	assert_int_equal(sites.n, 1);
	items[0].driver = "macvlan";
	networks.n = 1;
	assert_false(docker_sites_take(&networks, &f->policy, &sites));
	items[0].driver = "bridge";
	items[0].bridge = "br-new";
	assert_true(docker_sites_take(&networks, &f->policy, &sites));
	assert_string_equal(sites_find(&sites, "shop_default")->bridge, "br-new");
	sites_free(&sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_follows), TEST(test_given),  TEST(test_trouble), TEST(test_one_bridge),
		TEST(test_file),    TEST(test_drains), TEST(test_list),
	};

	return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
