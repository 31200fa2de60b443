/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads who was on which port from the kernel's sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"
#include "dockside/table/port_seeds.h"

static void add_set(struct actual *table, const char *name, enum set_type type)
{
	struct actual_set *set;

	table->sets =
		array_grow(table->sets, &table->cap_sets, table->n_sets, sizeof(*table->sets));
	set = &table->sets[table->n_sets++];
	*set = (struct actual_set){ .set = { .name = name, .type = type } };
}

/* To the last set: a port, and what follows it. */
static void add(struct actual *table, const char *port, const char *mac, const char *what,
		const char *comment)
{
	struct plan_set *set = &table->sets[table->n_sets - 1].set;
	struct elem *elem = set_add_elem(set, NULL);
	struct ipaddr addr;

	memcpy(elem->key, port, strlen(port));
	elem->comment = comment;
	if (set->type != SET_BRIDGES) {
		uint8_t *p = elem->key + IFNAME_KEY_LEN;

		if (set->type == SET_PORT_MAC_IPV4 || set->type == SET_PORT_MAC_IPV6) {
			assert_true(mac_parse(mac, strlen(mac), p));
			p += MAC_KEY_LEN;
		}
		assert_true(ipaddr_parse(what, strlen(what), &addr));
		memcpy(p, addr.b, family_bytes(addr.family));
	}
	memcpy(elem->last, elem->key, sizeof(elem->key));
}

static void begin(struct actual *table)
{
	*table = (struct actual){ .exists = true };
	add_set(table, "ports", SET_BRIDGES);
	add(table, "vethb", NULL, NULL, "web");
	add(table, "a-name-of-15-by", NULL, NULL, NULL);
	add(table, "vethtwo", NULL, NULL, "two");
	add(table, "vethnone", NULL, NULL, "none");
	add_set(table, "bindings4", SET_PORT_MAC_IPV4);
	add(table, "vethb", "02:42:00:00:00:02", "172.20.1.2", NULL);
	add(table, "vethtwo", "02:42:00:00:00:04", "172.20.1.4", NULL);
	add(table, "vethtwo", "02:42:00:00:00:05", "172.20.1.4", NULL);
	add(table, "vethnoport", "02:42:00:00:00:06", "172.20.1.6", NULL);
	add_set(table, "bindings6", SET_PORT_MAC_IPV6);
	add(table, "a-name-of-15-by", "02:42:00:00:00:03", "fe80::42:ff:fe00:3", NULL);
	add(table, "vethb", "02:42:00:00:00:02", "fe80::42:ff:fe00:2", NULL);
	add(table, "vethb", "02:42:00:00:00:02", "fd00::2", NULL);
	/* A container may send under the address that it has on another network, and has no other for that. */
	add_set(table, "addrs4", SET_PORT_IPV4);
	add(table, "vethb", NULL, "172.20.0.7", NULL);
	add(table, "vethb", NULL, "172.20.1.2", NULL);
	actual_finish(table);
}

static void test_seeds(void **state)
{
	struct actual table;
	struct port_seeds seeds;
	const struct port_seed *seed;
	char s[ADDR_STRLEN];

	(void)state;
	begin(&table);
	port_seeds_of(&table, &seeds);
	assert_int_equal(seeds.n, 2);
	assert_string_equal(seeds.items[0].name, "a-name-of-15-by"); /* sorted */
	assert_string_equal(seeds.items[0].owner.container, "unknown");
	assert_int_equal(seeds.items[0].owner.n_addrs, 0);
	seed = &seeds.items[1];
	assert_string_equal(seed->name, "vethb");
	assert_string_equal(seed->owner.container, "web");
	assert_string_equal(mac_format(seed->owner.mac, s), "02:42:00:00:00:02");
	assert_int_equal(seed->owner.n_addrs, 2);
	assert_string_equal(ipaddr_format(&seed->owner.addrs[0], s), "172.20.1.2");
	assert_string_equal(ipaddr_format(&seed->owner.addrs[1], s), "fd00::2");
	port_seeds_free(&seeds);
	actual_free(&table);
}

/* No table, and sets of those names that are none of ours. */
static void test_none(void **state)
{
	struct actual table = { 0 };
	struct port_seeds seeds;

	(void)state;
	port_seeds_of(&table, &seeds);
	assert_int_equal(seeds.n, 0);
	port_seeds_free(&seeds);
	begin(&table);
	actual_find_set(&table, "ports")->set.type = SET_UNKNOWN;
	port_seeds_of(&table, &seeds);
	assert_int_equal(seeds.n, 0);
	port_seeds_free(&seeds);
	actual_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("port_seeds", tests, NULL, NULL);
}
