/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

#define VOUCH_WAIT_MS 1000 /* a question is late by that much */

static void name_free(struct name *name)
{
	free(name->name);
	free(name->addrs);
	for (int family = 0; family < N_FAMILIES; family++)
		free(name->errors[family]);
}

static void name_init(struct name *ret_name, const char *name, uint64_t now_ms)
{
	*ret_name = (struct name){ .name = xstrdup(name) };
	for (int family = 0; family < N_FAMILIES; family++)
		ret_name->families[family].ask_ms = now_ms;
}

void names_init(struct names *names, unsigned refresh_s, unsigned stale_s)
{
	*names = (struct names){ .refresh_ms = 1000ull * refresh_s, .stale_ms = 1000ull * stale_s };
	if (names->refresh_ms > names->stale_ms / 2)
		names->refresh_ms = names->stale_ms / 2;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		name_free(&names->items[i]);
	free(names->items);
	names->items = NULL;
	names->n = 0;
}

void names_configure(struct names *names, const struct resolved *wanted, uint64_t now_ms)
{
	struct name *items = xcalloc(wanted->n + 1, sizeof(*items));
	size_t k = 0;

	/* Both are sorted: one walk. */
	for (size_t i = 0; i < wanted->n; i++) {
		const char *name = wanted->items[i].name;

		while (k < names->n && strcmp(names->items[k].name, name) < 0)
			name_free(&names->items[k++]);
		if (k < names->n && strcmp(names->items[k].name, name) == 0)
			items[i] = names->items[k++];
		else
			name_init(&items[i], name, now_ms);
	}
	while (k < names->n)
		name_free(&names->items[k++]);
	free(names->items);
	names->items = items;
	names->n = wanted->n;
	names->turn = 0;
	names->new_ms = 0;
	names->configured = true;
}

static int cmp_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct name *)item)->name);
}

struct name *names_find(const struct names *names, const char *name)
{
	if (names->n == 0)
		return NULL;
	return bsearch(name, names->items, names->n, sizeof(*names->items), cmp_name);
}

/* ------------------------------------------------------------------ addresses */

static struct known_addr *find_addr(const struct name *name, const struct ipaddr *addr)
{
	for (size_t i = 0; i < name->n_addrs; i++)
		if (ipaddr_cmp(&name->addrs[i].addr, addr) == 0)
			return &name->addrs[i];
	return NULL;
}

static bool is_never(const struct names *names, const struct ipaddr *addr)
{
	return names->never && never_reason(names->never, addr);
}

static void vouch(const struct names *names, struct name *name, const struct ipaddr *addr,
		  uint64_t seen_ms)
{
	struct known_addr *known = find_addr(name, addr);
	size_t i = name->n_addrs;

	if (!known) {
		name->addrs = xreallocarray(name->addrs, name->n_addrs + 1, sizeof(*name->addrs));
		for (; i > 0 && ipaddr_cmp(&name->addrs[i - 1].addr, addr) > 0; i--)
			name->addrs[i] = name->addrs[i - 1];
		known = &name->addrs[i];
		*known = (struct known_addr){ .addr = *addr, .never = is_never(names, addr) };
		name->n_addrs++;
	}
	known->seen_ms = seen_ms;
	known->current = true;
}

/* The target stays while it is among the current addresses; else the lowest of them takes over. */
static void choose_targets(struct name *name)
{
	assert(name->addrs || name->n_addrs == 0);
	for (int i = 0; i < N_FAMILIES; i++) {
		struct name_family *family = &name->families[i];
		const struct known_addr *known = NULL;

		if (family->target.set)
			known = find_addr(name, &family->target.addr);
		if (known && known->current && !known->never)
			continue;
		family->target.set = false;
		for (size_t k = name->n_addrs; k-- > 0;) {
			if (!name->addrs[k].current || name->addrs[k].never ||
			    (int)name->addrs[k].addr.family != i)
				continue;
			family->target.set = true;
			family->target.addr = name->addrs[k].addr;
		}
	}
}

void names_adopt(struct names *names, const char *name, const struct ipaddr *addr,
		 uint64_t remaining_ms, uint64_t now_ms)
{
	struct name *found = names_find(names, name);
	uint64_t age_ms = remaining_ms < names->stale_ms ? names->stale_ms - remaining_ms : 0;

	if (found && !find_addr(found, addr))
		vouch(names, found, addr, now_ms > age_ms ? now_ms - age_ms : 0);
	if (found)
		choose_targets(found);
}

void names_adopt_target(struct names *names, const char *name, const struct ipaddr *addr,
			uint64_t now_ms)
{
	struct name *found = names_find(names, name);

	names_adopt(names, name, addr, UINT64_MAX, now_ms);
	if (!found)
		return;
	found->families[addr->family].target.set = true;
	found->families[addr->family].target.addr = *addr;
	choose_targets(found);
}

bool names_set_never(struct names *names, const struct never *never, uint64_t now_ms)
{
	bool any = false;

	names->never = never;
	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		bool changed = false;

		for (size_t k = 0; k < name->n_addrs; k++) {
			struct known_addr *known = &name->addrs[k];
			bool is = is_never(names, &known->addr);

			changed |= is != known->never;
			known->never = is;
		}
		if (!changed)
			continue;
		choose_targets(name);
		name->touched_ms = now_ms;
		any = true;
	}
	return any;
}

bool names_expire(struct names *names, uint64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		size_t n = 0;

		for (size_t k = 0; k < name->n_addrs; k++)
			if (name->addrs[k].seen_ms + names->stale_ms > now_ms)
				name->addrs[n++] = name->addrs[k];
		if (n != name->n_addrs) {
			name->touched_ms = now_ms;
			any = true;
		}
		name->n_addrs = n;
	}
	return any;
}

/* ------------------------------------------------------------------ questions */

uint64_t names_due(const struct names *names)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < N_FAMILIES * names->n; i++) {
		const struct name_family *family =
			&names->items[i / N_FAMILIES].families[i % N_FAMILIES];

		if (!family->asking && family->ask_ms < due)
			due = family->ask_ms;
	}
	return due;
}

static struct name_family *family_at(const struct names *names, size_t at)
{
	return &names->items[at / N_FAMILIES].families[at % N_FAMILIES];
}

static bool is_new(const struct name_family *family)
{
	return !family->answered && family->failures < NAME_TRIES;
}

static bool may_ask(const struct names *names, size_t at, uint64_t now_ms, enum names_room room)
{
	const struct name_family *family = family_at(names, at);

	if (family->asking || family->ask_ms > now_ms)
		return false;
	if (names->items[at / N_FAMILIES].local)
		return true;
	return room == NAMES_FREE || (room == NAMES_SCARCE && family->good_ms <= now_ms);
}

/* A name that never resolved. If there is none, that is remembered, as this is called for many questions. */
static bool next_new(struct names *names, uint64_t now_ms, enum names_room room, size_t *ret_at)
{
	size_t n = N_FAMILIES * names->n;
	uint64_t new_ms = UINT64_MAX;

	if (now_ms < names->new_ms)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t at = (names->turn + i) % n;
		const struct name_family *family = family_at(names, at);

		if (!is_new(family) || family->asking)
			continue;
		if (may_ask(names, at, now_ms, room)) {
			names->turn = at + 1;
			*ret_at = at;
			return true;
		}
		if (family->ask_ms < new_ms)
			new_ms = family->ask_ms;
	}
	names->new_ms = new_ms;
	return false;
}

static bool next_due(const struct names *names, uint64_t now_ms, enum names_room room,
		     size_t cursor, size_t *ret_at)
{
	size_t n = N_FAMILIES * names->n;

	for (size_t i = 0; i < n; i++) {
		*ret_at = (cursor % n + i) % n;
		if (may_ask(names, *ret_at, now_ms, room))
			return true;
	}
	return false;
}

const char *names_take_due(struct names *names, uint64_t now_ms, enum names_room room,
			   size_t *cursor, enum family *ret_family)
{
	struct name_family *family;
	size_t at;

	if (!next_new(names, now_ms, room, &at)) {
		if (!next_due(names, now_ms, room, *cursor, &at))
			return NULL;
		*cursor = at + 1;
	}
	family = family_at(names, at);
	family->asking = true;
	family->asked_ms = now_ms;
	*ret_family = (enum family)(at % N_FAMILIES);
	return names->items[at / N_FAMILIES].name;
}

bool name_asking(const struct name *name)
{
	return name->families[FAMILY_IPV4].asking || name->families[FAMILY_IPV6].asking;
}

bool names_asking(const struct names *names, uint64_t until_ms, uint64_t now_ms)
{
	for (size_t i = 0; i < N_FAMILIES * names->n; i++) {
		const struct name_family *family = family_at(names, i);

		if (family->asking ? family->asked_ms <= until_ms
				   : family->ask_ms <= until_ms &&
					     now_ms < family->ask_ms + NAME_PUT_MAX_MS)
			return true;
	}
	return false;
}

void name_due(struct names *names, struct name *name, uint64_t now_ms)
{
	for (int i = 0; i < N_FAMILIES; i++)
		if (name->families[i].ask_ms > now_ms)
			name->families[i].ask_ms = now_ms;
	names->new_ms = 0;
}

bool names_vouch(struct names *names, uint64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];

		for (size_t k = 0; k < name->n_addrs; k++) {
			struct known_addr *known = &name->addrs[k];
			const struct name_family *family = &name->families[known->addr.family];

			if (!known->current || family->ask_ms + VOUCH_WAIT_MS > now_ms ||
			    known->seen_ms + names->stale_ms / 4 * 3 > now_ms)
				continue;
			known->seen_ms = now_ms;
			name->touched_ms = now_ms;
			any = true;
		}
	}
	return any;
}

/* /etc/hosts may be read as often as one likes. */
void names_refresh(struct names *names, uint64_t now_ms)
{
	for (size_t i = 0; i < N_FAMILIES * names->n; i++) {
		struct name_family *family = &names->items[i / N_FAMILIES].families[i % N_FAMILIES];
		bool asked = family->asked_ms != 0 && family->state != RESOLVED_STATIC;
		uint64_t earliest = asked ? family->asked_ms + NAME_ASK_MIN_MS : 0;

		if (family->ask_ms > now_ms)
			family->ask_ms = earliest > now_ms ? earliest : now_ms;
	}
	names->new_ms = 0;
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
	if (value > max)
		value = max;
	return value < min ? min : value;
}

/* 5, 10, 20, … seconds after failures, up to the refresh interval. */
static uint64_t wait_after_failures(const struct names *names, unsigned failures)
{
	uint64_t wait = NAME_ASK_MIN_MS;

	for (unsigned i = 1; i < failures && wait < names->refresh_ms; i++)
		wait *= 2;
	return clamp(wait, NAME_ASK_MIN_MS, names->refresh_ms);
}

/* A failure says nothing about the addresses: those of the last answer are as good as they were. */
static void answer_failed(struct names *names, struct name *name, const struct answer *answer,
			  uint64_t now_ms)
{
	struct name_family *family = &name->families[answer->family];

	family->failures++;
	family->n_failures++;
	name->errors[answer->family] = xstrdup(answer->error ? answer->error : "no answer");
	for (size_t i = 0; i < name->n_addrs; i++)
		if (name->addrs[i].addr.family == answer->family && name->addrs[i].current)
			name->addrs[i].seen_ms = now_ms;
	family->ask_ms = now_ms + wait_after_failures(names, family->failures);
	if (family->ask_ms < names->new_ms)
		names->new_ms = family->ask_ms;
}

/* There is no TTL in /etc/hosts, nor of a family that a name does not have. */
static uint64_t wait_after_answer(const struct names *names, const struct answer *answer)
{
	uint64_t wait = answer->n_addrs == 0 ? UINT64_MAX : 1000ull * answer->ttl_s;

	if (answer->state == RESOLVED_STATIC)
		return names->refresh_ms;
	return clamp(wait, NAME_ASK_MIN_MS, names->refresh_ms);
}

static uint64_t good_for(const struct answer *answer)
{
	if (answer->state == RESOLVED_STATIC)
		return 0;
	return answer->n_addrs == 0 && answer->ttl_s == 0 ? NAME_NONE_MS : 1000ull * answer->ttl_s;
}

static void answer_addrs(struct names *names, struct name *name, const struct answer *answer,
			 uint64_t now_ms)
{
	struct name_family *family = &name->families[answer->family];
	size_t n = 0;

	for (size_t i = 0; i < name->n_addrs; i++)
		if (name->addrs[i].addr.family == answer->family)
			name->addrs[i].current = false;
	for (size_t i = 0; i < answer->n_addrs; i++)
		if (answer->addrs[i].family == answer->family &&
		    !ipaddr_is_unspecified(&answer->addrs[i]))
			vouch(names, name, &answer->addrs[i], now_ms);
	for (size_t i = 0; i < name->n_addrs; i++)
		if (answer->state != RESOLVED_STATIC || name->addrs[i].current ||
		    name->addrs[i].addr.family != answer->family)
			name->addrs[n++] = name->addrs[i];
	name->n_addrs = n;
	family->failures = 0;
	family->answered = true;
	family->answered_ms = now_ms;
	family->n_answers++;
	family->ask_ms = now_ms + wait_after_answer(names, answer);
	family->good_ms = now_ms + good_for(answer);
}

struct name *names_answer(struct names *names, const struct answer *answer, uint64_t now_ms)
{
	struct name *name = names_find(names, answer->name);
	struct name_family *family;

	if (!name)
		return NULL;
	family = &name->families[answer->family];
	family->asking = false;
	family->state = answer->state;
	name->touched_ms = now_ms;
	free(name->errors[answer->family]);
	name->errors[answer->family] = NULL;
	if (answer->state == RESOLVED_DNS || answer->state == RESOLVED_STATIC)
		answer_addrs(names, name, answer, now_ms);
	else
		answer_failed(names, name, answer, now_ms);
	choose_targets(name);
	return name;
}

size_t name_refused(const struct name *name, const struct policy *policy)
{
	size_t n = 0;

	for (size_t i = 0; i < name->n_addrs; i++)
		n += name->addrs[i].never;
	return n > 0 && never_opens_name(policy, name->name) ? n : 0;
}

unsigned name_trouble(const struct name *name)
{
	unsigned trouble = 0;

	if (name->families[FAMILY_IPV4].failures > 0)
		trouble |= NAME_IPV4_FAILS;
	if (name->families[FAMILY_IPV6].failures > 0)
		trouble |= NAME_IPV6_FAILS;
	if (trouble == 0 && name->n_addrs == 0 && name->families[FAMILY_IPV4].answered &&
	    name->families[FAMILY_IPV6].answered)
		trouble |= NAME_EMPTY;
	return trouble;
}

/* ------------------------------------------------------------------ for compile_policy() */

static void fill_host(const struct name *name, struct resolved_name *host)
{
	struct ipaddr *addrs = xcalloc(name->n_addrs, sizeof(*addrs));

	for (size_t i = 0; i < name->n_addrs; i++)
		addrs[i] = name->addrs[i].addr;
	/* We know all addresses that are to stay: aging ones, too, and those that the kernel had at
	 * the start. So any other address that the kernel holds for the name is to go. */
	for (int family = 0; family < N_FAMILIES; family++)
		resolved_answer(host, &(struct answer){ .family = (enum family)family,
							.state = RESOLVED_STATIC,
							.addrs = addrs,
							.n_addrs = name->n_addrs });
	free(addrs);
	for (int i = 0; i < N_FAMILIES; i++) {
		const struct name_family *family = &name->families[i];

		host->targets[i] = NULL;
		for (size_t k = 0; family->target.set && k < host->n_addrs; k++)
			if (ipaddr_cmp(&host->addrs[k], &family->target.addr) == 0)
				host->targets[i] = &host->addrs[k];
	}
}

void names_fill_resolved(const struct names *names, struct resolved *resolved, uint64_t since_ms)
{
	resolved->timeout_s = (unsigned)(names->stale_ms / 1000);
	resolved->never = names->never;
	for (size_t i = 0; i < resolved->n; i++) {
		struct resolved_name *host = &resolved->items[i];
		const struct name *name = names_find(names, host->name);

		if (name && name->touched_ms >= since_ms)
			fill_host(name, host);
	}
}
