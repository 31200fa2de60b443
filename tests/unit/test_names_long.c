/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten minutes of a zone that rotates, and of one that is dead for a while, in no time: what is known at every
 * 100 ms is held against what the zone has answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/names/names.h"

#define STALE_S 60u
#define REFRESH_S 20u
#define POOL 200u /* addresses of the zone */
#define PICKED 5u /* of them in each answer */
#define TICK_MS 100u
#define LATENCY_MS 300u /* of an answer */

struct zone {
	uint32_t random;
	uint64_t answered_ms[POOL]; /* when an address was last in an answer; 0: never */
	uint64_t answers;
	bool dead;
};

static struct names names;

static uint32_t next_random(struct zone *zone, uint32_t below)
{
	zone->random = zone->random * 1664525u + 1013904223u;
	return (zone->random >> 8) % below;
}

static struct ipaddr address(uint32_t i)
{
	return (struct ipaddr){ .family = FAMILY_IPV4, .b = { 198, 51, 100, (uint8_t)i } };
}

/* IPv4 rotates, with TTLs of 1 to 30 s; IPv6 there is none. */
static void zone_answer(struct zone *zone, enum family family, uint64_t now_ms)
{
	struct answer answer = { .name = "cdn.example", .family = family, .state = RESOLVED_DNS };
	struct ipaddr addrs[PICKED];
	char error[] = "timeout";

	answer.ttl_s = 1 + next_random(zone, 30);
	answer.addrs = addrs;
	if (zone->dead) {
		answer.state = RESOLVED_FAILED;
		answer.error = error;
	} else if (family == FAMILY_IPV4) {
		uint32_t first = next_random(zone, POOL), step = 1 + next_random(zone, 30);

		for (uint32_t i = 0; i < PICKED; i++) {
			uint32_t picked = (first + i * step) % POOL;

			addrs[answer.n_addrs++] = address(picked);
			zone->answered_ms[picked] = now_ms;
		}
		zone->answers++;
	}
	assert_non_null(names_answer(&names, &answer, now_ms));
}

static bool is_known(uint32_t i)
{
	const struct name *name = names_find(&names, "cdn.example");
	struct ipaddr addr = address(i);

	for (size_t k = 0; k < name->n_addrs; k++)
		if (ipaddr_cmp(&name->addrs[k].addr, &addr) == 0)
			return true;
	return false;
}

/* grace_ms: by how much the zone may be unknown to have been dead. */
static void check(const struct zone *zone, uint64_t now_ms, uint64_t grace_ms)
{
	for (uint32_t i = 0; i < POOL; i++) {
		uint64_t age_ms = now_ms - zone->answered_ms[i];

		if (zone->answered_ms[i] == 0)
			assert_false(is_known(i));
		else if (age_ms < STALE_S * 1000)
			assert_true(is_known(i));
		else if (age_ms > STALE_S * 1000 + grace_ms)
			assert_false(is_known(i));
	}
}

struct question {
	bool open;
	enum family family;
	uint64_t answer_ms;
};

/* Runs from one time to another; whatever is due is asked, and answered a moment later. */
static void run(struct zone *zone, uint64_t from_ms, uint64_t to_ms, uint64_t grace_ms)
{
	struct question questions[N_FAMILIES] = { 0 };

	for (uint64_t now_ms = from_ms; now_ms < to_ms; now_ms += TICK_MS) {
		enum family family;
		size_t cursor = 0;

		for (size_t i = 0; i < N_FAMILIES; i++) {
			if (!questions[i].open || questions[i].answer_ms > now_ms)
				continue;
			questions[i].open = false;
			zone_answer(zone, (enum family)i, now_ms);
		}
		while (names_take_due(&names, now_ms, NAMES_FREE, &cursor, &family))
			questions[family] = (struct question){ true, family, now_ms + LATENCY_MS };
		names_expire(&names, now_ms);
		check(zone, now_ms, grace_ms);
	}
	for (size_t i = 0; i < N_FAMILIES; i++) /* nothing is left open for the next run */
		if (questions[i].open)
			zone_answer(zone, (enum family)i, to_ms);
}

static int set_up(void **state)
{
	char name[] = "cdn.example";
	struct resolved_name items[] = { { .name = name } };
	struct resolved resolved = { .items = items, .n = 1 };

	(void)state;
	names_init(&names, REFRESH_S, STALE_S);
	names_configure(&names, &resolved, 1000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	names_free(&names);
	return 0;
}

static void test_rotation(void **state)
{
	struct zone zone = { .random = 1 };

	(void)state;
	run(&zone, 1000, 601000, TICK_MS);
	/* TTLs are 15 s on average, and 20 s at most count. */
	assert_true(zone.answers >= 600 / REFRESH_S);
	assert_true(zone.answers <= 600000 / NAME_ASK_MIN_MS + 1);
}

/* Dead for three times the stale time: what was current when it died stays, however long; alive again
 * with other addresses, it ages. */
static void test_outage(void **state)
{
	struct zone zone = { .random = 2 };
	uint64_t died_ms = 201000, back_ms = died_ms + 3000ull * STALE_S;
	size_t kept = 0;

	(void)state;
	run(&zone, 1000, died_ms, TICK_MS);
	zone.dead = true;
	for (uint64_t now_ms = died_ms; now_ms < back_ms; now_ms += 10000) {
		run(&zone, now_ms, now_ms + 10000, UINT64_MAX - (1ull << 40));
		kept = names_find(&names, "cdn.example")->n_addrs;
		assert_true(kept >= PICKED);
	}
	assert_int_equal(kept, PICKED); /* those of the last answer alone */
	zone.dead = false;
	/* The last failure vouched for them; from then on they have the stale time, after which the
	 * zone's answers since are all that is known. */
	run(&zone, back_ms, back_ms + 1000ull * STALE_S + 40000, UINT64_MAX - (1ull << 40));
	run(&zone, back_ms + 1000ull * STALE_S + 40000, back_ms + 300000, TICK_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rotation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outage, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("names_long", tests, NULL, NULL);
}
