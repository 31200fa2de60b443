/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and the pace at which a server is asked for them, against servers that limit questions. Time passes by
 * adding to a number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "between.h"
#include "dockside/base/util.h"
#include "dockside/names/names.h"
#include "system/dns_pace.h"

#define STEP_MS 20u
#define UNDER_WAY_MAX 4096
#define MINUTES_MAX 100

struct flight {
	const char *name;
	enum family family;
	uint64_t asked_ms, due_ms; /* when the answer comes */
	bool refused, failed, told_silent;
};

struct world {
	struct names names;
	struct dns_pace pace;
	uint64_t begin_ms, now_ms;
	size_t cursor;
	struct flight flights[UNDER_WAY_MAX];
	size_t n;
	/* The server. */
	unsigned latency_ms, ttl_s;
	unsigned at_once_max,
		per_minute_max; /* 0: no limit; refusals count, too, as Pi-hole's do */
	bool dead;
	const char *silent; /* a name that it says nothing about */
	unsigned failing;   /* of so many names it says SERVFAIL */
	unsigned asked[MINUTES_MAX], refused;
	bool measure;
	uint64_t longest_ms; /* that a question has waited to be put */
};

static void start(struct world *w, unsigned n_names)
{
	struct resolved hosts = { .items = xcalloc(n_names, sizeof(*hosts.items)), .n = n_names };

	w->begin_ms = w->now_ms = 6000000;
	names_init(&w->names, 60, 300);
	dns_pace_init(&w->pace);
	for (unsigned i = 0; i < n_names; i++)
		hosts.items[i].name = xasprintf("n%04u.example", i);
	names_configure(&w->names, &hosts, w->now_ms);
	resolved_free(&hosts);
}

static size_t minute(const struct world *w)
{
	return (size_t)((w->now_ms - w->begin_ms) / 60000);
}

static size_t n_serving(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += !w->flights[i].refused;
	return n;
}

static void put(struct world *w, const char *name, enum family family)
{
	struct flight *flight = &w->flights[w->n];

	assert_true(w->n < UNDER_WAY_MAX && minute(w) < MINUTES_MAX);
	*flight = (struct flight){ .name = name, .family = family, .asked_ms = w->now_ms };
	flight->failed = strtoul(name + 1, NULL, 10) < w->failing;
	flight->refused = (w->at_once_max && n_serving(w) >= w->at_once_max) ||
			  (w->per_minute_max && w->asked[minute(w)] >= w->per_minute_max);
	flight->due_ms = w->now_ms + (flight->refused ? STEP_MS : w->latency_ms);
	if (w->dead || (w->silent && strcmp(name, w->silent) == 0))
		flight->due_ms = UINT64_MAX;
	w->n++;
	w->asked[minute(w)]++;
	w->refused += flight->refused;
	dns_pace_asked(&w->pace, w->now_ms);
}

static void ask(struct world *w)
{
	for (;;) {
		enum names_room room = dns_pace_room(&w->pace, w->now_ms) == 0 ? NAMES_FULL
				       : dns_pace_scarce(&w->pace)	       ? NAMES_SCARCE
									       : NAMES_FREE;
		enum family family;
		const char *name = names_take_due(&w->names, w->now_ms, room, &w->cursor, &family);

		if (!name)
			return;
		put(w, name, family);
	}
}

static void answer(struct world *w, const struct flight *flight, bool good)
{
	struct ipaddr addr = { .family = FAMILY_IPV4, .b = { 192, 0, 2, 1 } };
	bool has = flight->family == FAMILY_IPV4;

	names_answer(&w->names,
		     &(struct answer){ .name = flight->name,
				       .family = flight->family,
				       .state = good ? RESOLVED_DNS : RESOLVED_FAILED,
				       .addrs = &addr,
				       .n_addrs = good && has,
				       .ttl_s = good && has ? w->ttl_s : 0,
				       .error = "no" },
		     w->now_ms);
}

static void step_flight(struct world *w, size_t i)
{
	struct flight *flight = &w->flights[i];
	bool came = flight->due_ms <= w->now_ms, late = flight->asked_ms + 3200 <= w->now_ms;

	if (!came && !flight->told_silent && flight->asked_ms + 1000 <= w->now_ms) {
		flight->told_silent = true;
		dns_pace_outcome(&w->pace, DNS_PACE_SILENT, flight->asked_ms, w->now_ms);
	}
	if (!came && !late)
		return;
	dns_pace_done(&w->pace);
	if (came)
		dns_pace_outcome(&w->pace,
				 flight->refused  ? DNS_PACE_REFUSED
				 : flight->failed ? DNS_PACE_FAILED
						  : DNS_PACE_ANSWERED,
				 flight->asked_ms, w->now_ms);
	answer(w, flight, came && !flight->refused && !flight->failed);
	*flight = w->flights[--w->n];
}

static void measure(struct world *w)
{
	for (size_t i = 0; i < N_FAMILIES * w->names.n; i++) {
		const struct name_family *family =
			&w->names.items[i / N_FAMILIES].families[i % N_FAMILIES];

		if (!family->asking && w->now_ms > family->ask_ms + w->longest_ms)
			w->longest_ms = w->now_ms - family->ask_ms;
	}
}

static void run(struct world *w, unsigned seconds)
{
	uint64_t end_ms = w->now_ms + 1000ull * seconds;

	for (; w->now_ms < end_ms; w->now_ms += STEP_MS) {
		for (size_t i = w->n; i-- > 0;)
			step_flight(w, i);
		if (w->now_ms % 100 == 0) { /* nobody waits for these */
			names_vouch(&w->names, w->now_ms);
			names_expire(&w->names, w->now_ms);
		}
		ask(w);
		if (w->measure)
			measure(w);
	}
}

static size_t n_resolved(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->names.n; i++)
		n += w->names.items[i].n_addrs > 0 &&
		     w->names.items[i].families[FAMILY_IPV6].answered;
	return n;
}

static int set_up(void **state)
{
	*state = xcalloc(1, sizeof(struct world));
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	names_free(&w->names);
	free(w);
	return 0;
}

static void test_many_at_once(void **state)
{
	struct world *w = *state;

	w->latency_ms = 500;
	w->ttl_s = 60;
	w->at_once_max = 150; /* dnsmasq's */
	start(w, 400);
	run(w, 6);
	assert_int_equal(n_resolved(w), 400);
	assert_int_equal(w->refused, 0);
}

static void test_few_at_once(void **state)
{
	struct world *w = *state;

	w->latency_ms = 500;
	w->ttl_s = 60;
	w->at_once_max = 20;
	start(w, 400);
	run(w, 50);
	assert_int_equal(n_resolved(w), 400);
	assert_between(w->refused, 1, 200);
}

/* 1,200 questions a minute are wanted, 1,000 allowed. */
static void test_per_minute(void **state)
{
	struct world *w = *state;

	w->latency_ms = 20;
	w->ttl_s = 60;
	w->per_minute_max = 1000;
	start(w, 600);
	run(w, 120);
	assert_int_equal(n_resolved(w), 600);
	run(w, 30 * 60);
	assert_int_equal(n_resolved(w), 600);
	for (size_t i = 1; i < minute(w); i++)
		assert_between(w->asked[i], 500, 1000);
}

/* Far too little, and yet everything resolves, and no address is lost. */
static void test_few_per_minute(void **state)
{
	struct world *w = *state;

	w->latency_ms = 20;
	w->ttl_s = 60;
	w->per_minute_max = 100;
	start(w, 300);
	run(w, 11 * 60);
	assert_int_equal(n_resolved(w), 300);
	run(w, 30 * 60);
	assert_int_equal(n_resolved(w), 300);
	for (size_t i = 1; i < minute(w); i++)
		assert_between(w->asked[i], 10, 115);
}

/* Only names whose TTL is over are asked while questions are scarce. */
static void test_ttl(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	w->latency_ms = 20;
	w->ttl_s = 300;
	w->per_minute_max = 1000;
	start(w, 600);
	run(w, 15 * 60);
	assert_int_equal(n_resolved(w), 600);
	for (size_t i = 5; i < 15; i++)
		n += w->asked[i];
	assert_between(n, 2 * 1200 - 100, 3 * 1200);
}

static void test_dead(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	w->latency_ms = 20;
	w->ttl_s = 60;
	start(w, 600);
	run(w, 30);
	assert_int_equal(n_resolved(w), 600);
	w->dead = true;
	run(w, 11 * 60 - 30);
	for (size_t i = 3; i < 11; i++)
		n += w->asked[i];
	assert_between(n, 8 * 2, 8 * 10);
	assert_int_equal(n_resolved(w), 600); /* twice the stale time later */
	w->dead = false;
	run(w, 20);
	for (size_t i = 0; i < w->names.n; i++)
		for (int k = 0; k < N_FAMILIES; k++)
			assert_int_equal(w->names.items[i].families[k].failures, 0);
}

/* A name that a server does not know in time says nothing about the server. */
static void test_one_silent_name(void **state)
{
	struct world *w = *state;

	w->latency_ms = 20;
	w->ttl_s = 5;
	w->silent = "n0002.example";
	w->measure = true;
	start(w, 3);
	run(w, 10 * 60);
	assert_int_equal(n_resolved(w), 2);
	assert_between(w->longest_ms, 0, STEP_MS);
}

/* Nor do names that the server fails to resolve, so that those of which it says nothing had all the room. */
static void test_some_fail(void **state)
{
	struct world *w = *state;

	w->latency_ms = 20;
	w->ttl_s = 5;
	w->failing = 6;
	w->silent = "n0007.example";
	w->measure = true;
	start(w, 10);
	w->names.refresh_ms = 5000;
	run(w, 10 * 60);
	assert_int_equal(n_resolved(w), 3);
	assert_between(w->longest_ms, 0, 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_many_at_once),    TEST(test_few_at_once), TEST(test_per_minute),
		TEST(test_few_per_minute),  TEST(test_ttl),	    TEST(test_dead),
		TEST(test_one_silent_name), TEST(test_some_fail),
	};

	return cmocka_run_group_tests_name("dns_pace", tests, NULL, NULL);
}
