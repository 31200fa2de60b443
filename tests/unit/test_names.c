/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time passes here by adding to a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"
#include "dockside/names/names.h"

#define REFRESH_S 60
#define STALE_S 300

struct world {
	struct names names;
	uint64_t now_ms;
};

static void configure(struct world *w, const char *const *list, size_t n)
{
	struct resolved resolved = { .items = xcalloc(n + 1, sizeof(*resolved.items)), .n = n };

	for (size_t i = 0; i < n; i++)
		resolved.items[i].name = xstrdup(list[i]);
	names_configure(&w->names, &resolved, w->now_ms);
	resolved_free(&resolved);
}

#define CONFIGURE(w, ...)                                  \
	configure(w, (const char *const[]){ __VA_ARGS__ }, \
		  ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->now_ms = 1000000;
	names_init(&w->names, REFRESH_S, STALE_S);
	CONFIGURE(w, "a.example", "b.example");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	names_free(&w->names);
	free(w);
	return 0;
}

/* Answers with the addresses 192.0.2.X of the digits in list. */
static void answer4(struct world *w, const char *name, enum resolved_state state, const char *list,
		    unsigned ttl_s)
{
	struct ipaddr addrs[16];
	struct answer answer = { .name = name, .state = state, .addrs = addrs, .ttl_s = ttl_s };

	answer.error = "out of order";
	for (; list && *list; list++) {
		addrs[answer.n_addrs] =
			(struct ipaddr){ .family = FAMILY_IPV4, .b = { 192, 0, 2 } };
		addrs[answer.n_addrs++].b[3] = (uint8_t)(*list - '0');
	}
	names_answer(&w->names, &answer, w->now_ms);
}

/* With 2001:db8::X for the letters in list. */
static void answer6(struct world *w, const char *name, enum resolved_state state, const char *list,
		    unsigned ttl_s)
{
	struct ipaddr addrs[16];
	struct answer answer = { .name = name, .state = state, .addrs = addrs, .ttl_s = ttl_s };

	answer.family = FAMILY_IPV6;
	answer.error = "off";
	for (; list && *list; list++) {
		addrs[answer.n_addrs] =
			(struct ipaddr){ .family = FAMILY_IPV6, .b = { 0x20, 0x01, 0xd, 0xb8 } };
		addrs[answer.n_addrs++].b[15] = (uint8_t)(*list - '0');
	}
	names_answer(&w->names, &answer, w->now_ms);
}

/* IPv4 as said; IPv6 fails, or there is none. */
static void answer(struct world *w, const char *name, enum resolved_state state, const char *list,
		   unsigned ttl_s)
{
	answer4(w, name, state, list, ttl_s);
	answer6(w, name, state, NULL, 0);
}

static void expect_addrs(struct world *w, const char *name, const char *list)
{
	struct name *found = names_find(&w->names, name);
	char text[32] = "";

	names_expire(&w->names, w->now_ms);
	assert_non_null(found);
	for (size_t i = 0; i < found->n_addrs; i++)
		text[i] = (char)('0' +
				 found->addrs[i]
					 .addr
					 .b[found->addrs[i].addr.family == FAMILY_IPV4 ? 3 : 15]);
	assert_string_equal(text, list);
}

static void pass(struct world *w, unsigned seconds)
{
	w->now_ms += 1000ull * seconds;
}

static uint64_t wait_s(struct world *w, const char *name)
{
	return (names_find(&w->names, name)->families[FAMILY_IPV4].ask_ms - w->now_ms) / 1000;
}

static uint64_t wait6_s(struct world *w, const char *name)
{
	return (names_find(&w->names, name)->families[FAMILY_IPV6].ask_ms - w->now_ms) / 1000;
}

static const char *take_due(struct world *w, size_t *cursor, enum family wanted)
{
	enum family family;
	const char *name = names_take_due(&w->names, w->now_ms, NAMES_FREE, cursor, &family);

	if (name)
		assert_int_equal(family, wanted);
	return name;
}

static void test_all_due_at_first(void **state)
{
	struct world *w = *state;
	size_t cursor = 0;

	assert_int_equal(names_due(&w->names), w->now_ms);
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "a.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV6), "a.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "b.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV6), "b.example");
	assert_null(take_due(w, &cursor, FAMILY_IPV4));
	assert_true(names_due(&w->names) == UINT64_MAX);
	assert_true(names_asking(&w->names, w->now_ms, w->now_ms));
	answer(w, "a.example", RESOLVED_DNS, "1", 30);
	answer4(w, "b.example", RESOLVED_DNS, "1", 30);
	assert_true(names_asking(&w->names, w->now_ms, w->now_ms));
	answer6(w, "b.example", RESOLVED_FAILED, NULL, 0);
	assert_false(names_asking(&w->names, w->now_ms, w->now_ms));
	assert_int_equal(names_due(&w->names), w->now_ms + 5000);
}

static void test_ask_again(void **state)
{
	static const struct {
		unsigned ttl_s, wait_s;
	} cases[] = {
		{ 0, 5 }, { 1, 5 }, { 5, 5 }, { 6, 6 }, { 30, 30 }, { 60, 60 }, { 86400, 60 }
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answer(w, "a.example", RESOLVED_DNS, "1", cases[i].ttl_s);
		assert_int_equal(wait_s(w, "a.example"), cases[i].wait_s);
	}
	answer(w, "a.example", RESOLVED_STATIC, "1", 0);
	assert_int_equal(wait_s(w, "a.example"), 60);
}

static void test_back_off(void **state)
{
	static const unsigned waits[] = { 5, 10, 20, 40, 60, 60 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		answer(w, "a.example", RESOLVED_FAILED, NULL, 0);
		assert_int_equal(wait_s(w, "a.example"), waits[i]);
	}
	answer(w, "a.example", RESOLVED_DNS, "1", 30);
	answer(w, "a.example", RESOLVED_FAILED, NULL, 0);
	assert_int_equal(wait_s(w, "a.example"), 5);
}

/* With a short stale time the interval must be shorter still. */
static void test_interval_below_stale(void **state)
{
	struct names names;

	(void)state;
	names_init(&names, 60, 30);
	assert_int_equal(names.refresh_ms, 15000);
}

/* Nor does a short interval have DNS asked more often than every 5 s for what it does not have. */
static void test_short_interval(void **state)
{
	struct world *w = *state;

	w->names.refresh_ms = 1000;
	answer(w, "a.example", RESOLVED_DNS, "1", 60);
	assert_int_equal(wait_s(w, "a.example"), 5);
	assert_int_equal(wait6_s(w, "a.example"), 5);
}

static void test_grace(void **state)
{
	struct world *w = *state;

	answer(w, "a.example", RESOLVED_DNS, "12", 30);
	pass(w, 30);
	answer(w, "a.example", RESOLVED_DNS, "23", 30);
	expect_addrs(w, "a.example", "123");
	pass(w, STALE_S - 31); /* one second before the first address's time is up */
	answer(w, "a.example", RESOLVED_DNS, "23", 30);
	expect_addrs(w, "a.example", "123");
	pass(w, 1);
	expect_addrs(w, "a.example", "23");
}

static void test_outage_keeps(void **state)
{
	struct world *w = *state;

	answer(w, "a.example", RESOLVED_DNS, "12", 30);
	pass(w, 30);
	answer(w, "a.example", RESOLVED_DNS, "2", 30);
	for (unsigned i = 0; i < 3 * STALE_S / REFRESH_S; i++) {
		pass(w, REFRESH_S);
		answer(w, "a.example", RESOLVED_FAILED, NULL, 0);
	}
	/* An address that an answer had let go goes on ageing; one that it had stays. */
	expect_addrs(w, "a.example", "2");
	answer(w, "a.example", RESOLVED_DNS, "3", 30);
	expect_addrs(w, "a.example", "23");
	pass(w, STALE_S);
	expect_addrs(w, "a.example", "");
}

/* An outage of one family, and answers of the other all the time. */
static void test_outage_of_one_family(void **state)
{
	struct world *w = *state;
	const struct name *name = names_find(&w->names, "a.example");

	answer4(w, "a.example", RESOLVED_DNS, "12", 30);
	answer6(w, "a.example", RESOLVED_DNS, "ab", 30);
	for (unsigned i = 0; i < 3 * STALE_S / REFRESH_S; i++) {
		pass(w, REFRESH_S);
		answer4(w, "a.example", RESOLVED_DNS, "2", 30);
		answer6(w, "a.example", RESOLVED_FAILED, NULL, 0);
		assert_int_equal(name_trouble(name), NAME_IPV6_FAILS);
		assert_int_equal(wait_s(w, "a.example"), 30);
	}
	assert_int_equal(wait6_s(w, "a.example"), 60);
	assert_string_equal(name->errors[FAMILY_IPV6], "off");
	assert_null(name->errors[FAMILY_IPV4]);
	expect_addrs(w, "a.example", "2ab");
	assert_int_equal(name->families[FAMILY_IPV4].target.addr.b[3], 2);
	assert_int_equal(name->families[FAMILY_IPV6].target.addr.b[15], 'a' - '0');
	/* And the other way round. */
	answer6(w, "a.example", RESOLVED_DNS, "b", 30);
	assert_int_equal(name_trouble(name), 0);
	for (unsigned i = 0; i < 3 * STALE_S / REFRESH_S; i++) {
		pass(w, REFRESH_S);
		answer4(w, "a.example", RESOLVED_FAILED, NULL, 0);
		answer6(w, "a.example", RESOLVED_DNS, "b", 30);
	}
	assert_int_equal(name_trouble(name), NAME_IPV4_FAILS);
	expect_addrs(w, "a.example", "2b");
}

/* That a name has no addresses of a family is an answer: what it had ages. */
static void test_family_without_addresses(void **state)
{
	struct world *w = *state;
	const struct name *name = names_find(&w->names, "a.example");

	answer4(w, "a.example", RESOLVED_DNS, "1", 30);
	answer6(w, "a.example", RESOLVED_DNS, "a", 30);
	pass(w, 30);
	answer4(w, "a.example", RESOLVED_DNS, "1", 30);
	answer6(w, "a.example", RESOLVED_DNS, NULL, 0);
	assert_int_equal(wait6_s(w, "a.example"), 60);
	assert_false(name->families[FAMILY_IPV6].target.set);
	/* A failure after it vouches for nothing. */
	pass(w, STALE_S - 31);
	answer4(w, "a.example", RESOLVED_DNS, "1", 30);
	answer6(w, "a.example", RESOLVED_FAILED, NULL, 0);
	expect_addrs(w, "a.example", "1a");
	pass(w, 1);
	expect_addrs(w, "a.example", "1");
	answer(w, "a.example", RESOLVED_DNS, NULL, 0);
	pass(w, STALE_S);
	expect_addrs(w, "a.example", "");
	assert_int_equal(name_trouble(name), NAME_EMPTY);
}

/* If /etc/hosts gets one family of a name, the addresses of the other are not spared. */
static void test_static_of_one_family(void **state)
{
	struct world *w = *state;

	answer4(w, "a.example", RESOLVED_DNS, "1", 30);
	answer6(w, "a.example", RESOLVED_DNS, "a", 30);
	answer4(w, "a.example", RESOLVED_STATIC, "2", 0);
	expect_addrs(w, "a.example", "2a");
	answer6(w, "a.example", RESOLVED_STATIC, NULL, 0);
	expect_addrs(w, "a.example", "2");
}

static void test_static_has_no_grace(void **state)
{
	struct world *w = *state;

	answer(w, "a.example", RESOLVED_STATIC, "12", 0);
	pass(w, 60);
	answer(w, "a.example", RESOLVED_STATIC, "2", 0);
	expect_addrs(w, "a.example", "2");
}

static void test_configure(void **state)
{
	struct world *w = *state;

	answer(w, "a.example", RESOLVED_DNS, "1", 30);
	answer(w, "b.example", RESOLVED_DNS, "2", 30);
	pass(w, 1);
	CONFIGURE(w, "0.example", "b.example", "c.example");
	assert_null(names_find(&w->names, "a.example"));
	expect_addrs(w, "b.example", "2");
	assert_int_equal(wait_s(w, "b.example"), 29);
	assert_int_equal(wait_s(w, "c.example"), 0);
	/* The answer to a question of before finds nobody. */
	assert_null(names_answer(&w->names, &(struct answer){ .name = "a.example" }, w->now_ms));
}

static void test_adopt(void **state)
{
	struct ipaddr addr = { .family = FAMILY_IPV4, .b = { 192, 0, 2, 1 } };
	struct world *w = *state;

	names_adopt(&w->names, "a.example", &addr, 10000, w->now_ms);
	expect_addrs(w, "a.example", "1");
	pass(w, 10);
	expect_addrs(w, "a.example", "");
	/* A permanent one, during an outage. */
	names_adopt(&w->names, "a.example", &addr, UINT64_MAX, w->now_ms);
	pass(w, STALE_S - 1);
	answer(w, "a.example", RESOLVED_FAILED, NULL, 0);
	pass(w, STALE_S - 1);
	expect_addrs(w, "a.example", "1");
	names_adopt(&w->names, "nobody.example", &addr, 1, w->now_ms);
	names_adopt_target(&w->names, "nobody.example", &addr, w->now_ms);
}

static void test_adopt_target(void **state)
{
	struct ipaddr addr = { .family = FAMILY_IPV4, .b = { 192, 0, 2, 1 } };
	struct world *w = *state;
	const struct name *name = names_find(&w->names, "a.example");

	names_adopt(&w->names, "a.example", &addr, 10000, w->now_ms);
	assert_int_equal(name->families[FAMILY_IPV4].target.addr.b[3], 1);
	/* NAT leads there, though it is not the lowest address. */
	addr.b[3] = 2;
	names_adopt_target(&w->names, "a.example", &addr, w->now_ms);
	assert_int_equal(name->families[FAMILY_IPV4].target.addr.b[3], 2);
	answer(w, "a.example", RESOLVED_FAILED, NULL, 0);
	assert_int_equal(name->families[FAMILY_IPV4].target.addr.b[3], 2);
	answer(w, "a.example", RESOLVED_DNS, "13", 60);
	assert_int_equal(name->families[FAMILY_IPV4].target.addr.b[3], 1);
}

/* A name is asked at most every 5 s, whoever wants it sooner, and whether it fails or not. */
static void test_refresh(void **state)
{
	struct world *w = *state;
	enum family family;
	size_t cursor = 0;

	while (names_take_due(&w->names, w->now_ms, NAMES_FREE, &cursor, &family))
		;
	answer(w, "a.example", RESOLVED_DNS, "1", 60);
	answer(w, "b.example", RESOLVED_FAILED, NULL, 0);
	pass(w, 3);
	names_refresh(&w->names, w->now_ms);
	assert_int_equal(wait_s(w, "a.example"), 2);
	assert_int_equal(wait_s(w, "b.example"), 2);
	answer(w, "b.example", RESOLVED_STATIC, "1", 0);
	names_refresh(&w->names, w->now_ms);
	assert_int_equal(wait_s(w, "b.example"), 0);
	pass(w, 2);
	names_refresh(&w->names, w->now_ms);
	assert_int_equal(wait_s(w, "a.example"), 0);
}

/* The next round begins with the names that had no turn because the last one was cut short. */
static void test_turns(void **state)
{
	struct world *w = *state;
	size_t cursor = 0;

	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "a.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV6), "a.example");
	answer(w, "a.example", RESOLVED_DNS, "1", 0);
	pass(w, 5); /* and it is due again */
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "b.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV6), "b.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "a.example");
	assert_null(take_due(w, &cursor, FAMILY_IPV4));
	CONFIGURE(w, "c.example"); /* fewer than before */
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "c.example");
	configure(w, NULL, 0);
	assert_null(take_due(w, &cursor, FAMILY_IPV4));
}

static void test_fill_hosts(void **state)
{
	struct resolved resolved = { .items = xcalloc(2, sizeof(*resolved.items)), .n = 2 };
	struct world *w = *state;

	resolved.items[0].name = xstrdup("a.example");
	resolved.items[1].name = xstrdup("b.example");
	answer(w, "a.example", RESOLVED_DNS, "21", 60);
	answer(w, "b.example", RESOLVED_FAILED, NULL, 0);
	names_fill_resolved(&w->names, &resolved, 0);
	assert_int_equal(resolved.items[0].states[FAMILY_IPV4],
			 RESOLVED_STATIC); /* others are to go */
	assert_int_equal(resolved.items[0].n_addrs, 2);
	assert_int_equal(resolved.items[1].states[FAMILY_IPV6], RESOLVED_STATIC);
	assert_int_equal(resolved.items[1].n_addrs, 0);
	assert_int_equal(resolved.timeout_s, STALE_S);
	assert_int_equal(resolved.items[0].targets[FAMILY_IPV4]->b[3], 1);
	assert_null(resolved.items[0].targets[FAMILY_IPV6]);
	/* The target stays while answers have it, and is never one that is only ageing. */
	pass(w, 60);
	answer(w, "a.example", RESOLVED_DNS, "13", 60);
	names_fill_resolved(&w->names, &resolved, 0);
	assert_int_equal(resolved.items[0].targets[FAMILY_IPV4]->b[3], 1);
	answer(w, "a.example", RESOLVED_DNS, "32", 60);
	names_fill_resolved(&w->names, &resolved, 0);
	assert_int_equal(resolved.items[0].n_addrs, 3);
	assert_int_equal(resolved.items[0].targets[FAMILY_IPV4]->b[3], 2);
	resolved_free(&resolved);
}

/* Those that never resolved come first, three times; then they take turns like all. */
static void test_new_first(void **state)
{
	struct world *w = *state;
	size_t cursor = 0;

	answer(w, "a.example", RESOLVED_DNS, "1", 0);
	for (int i = 0; i < NAME_TRIES; i++) {
		pass(w, 60);
		assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "b.example");
		assert_string_equal(take_due(w, &cursor, FAMILY_IPV6), "b.example");
		answer4(w, "b.example", RESOLVED_FAILED, NULL, 0);
		answer6(w, "b.example", RESOLVED_FAILED, NULL, 0);
	}
	pass(w, 60);
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "a.example");
	CONFIGURE(w, "a.example", "b.example", "c.example");
	assert_string_equal(take_due(w, &cursor, FAMILY_IPV4), "c.example");
}

static const char *take(struct world *w, enum names_room room)
{
	enum family family;
	size_t cursor = 0;

	return names_take_due(&w->names, w->now_ms, room, &cursor, &family);
}

/* An answer holds for its TTL while questions are scarce; without room we ask only /etc/hosts. */
static void test_scarce(void **state)
{
	struct world *w = *state;

	CONFIGURE(w, "a.example");
	answer4(w, "a.example", RESOLVED_DNS, "1", 300);
	answer6(w, "a.example", RESOLVED_DNS, NULL, 0);
	pass(w, 299);
	assert_null(take(w, NAMES_FULL));
	assert_null(take(w, NAMES_SCARCE));
	pass(w, 1);
	assert_null(take(w, NAMES_FULL));
	assert_string_equal(take(w, NAMES_SCARCE), "a.example");
	answer4(w, "a.example", RESOLVED_DNS, "1", 300);
	pass(w, 60);
	assert_string_equal(take(w, NAMES_FREE), "a.example");
	CONFIGURE(w, "l.example");
	names_find(&w->names, "l.example")->local = true;
	assert_string_equal(take(w, NAMES_FULL), "l.example");
}

/* That a question is not put in time says nothing about the addresses of the last answer. */
static void test_vouch(void **state)
{
	struct world *w = *state;

	answer(w, "a.example", RESOLVED_DNS, "12", 1);
	pass(w, 5);
	answer(w, "a.example", RESOLVED_DNS, "1", 300);
	pass(w, 224);
	assert_false(names_vouch(&w->names, w->now_ms));
	pass(w, 1);
	assert_true(names_vouch(&w->names, w->now_ms));
	assert_int_equal(names_find(&w->names, "a.example")->touched_ms, w->now_ms);
	assert_false(names_vouch(&w->names, w->now_ms));
	pass(w, 75);
	expect_addrs(w, "a.example", "1"); /* the other has aged */
	pass(w, 224);
	names_vouch(&w->names, w->now_ms);
	pass(w, 100);
	expect_addrs(w, "a.example", "1");
}

/* A question that cannot be put is not waited for. */
static void test_not_put(void **state)
{
	struct world *w = *state;
	uint64_t since_ms = w->now_ms;

	pass(w, 9);
	assert_true(names_asking(&w->names, since_ms, w->now_ms));
	pass(w, 1);
	assert_false(names_asking(&w->names, since_ms, w->now_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_due_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ask_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_back_off, set_up, tear_down),
		cmocka_unit_test(test_interval_below_stale),
		cmocka_unit_test_setup_teardown(test_short_interval, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_grace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outage_keeps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outage_of_one_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_family_without_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_static_of_one_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_static_has_no_grace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_configure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_adopt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_adopt_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_scarce, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vouch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_put, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fill_hosts, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
