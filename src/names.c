/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/util.h"

static void name_free(struct name *name)
{
	free(name->name);
	free(name->addrs);
	free(name->error);
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

void names_configure(struct names *names, const struct hosts *wanted, uint64_t now_ms)
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
			items[i] = (struct name){ .name = xstrdup(name), .ask_ms = now_ms };
	}
	while (k < names->n)
		name_free(&names->items[k++]);
	free(names->items);
	names->items = items;
	names->n = wanted->n;
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

static void vouch(struct name *name, const struct ipaddr *addr, uint64_t seen_ms)
{
	struct known_addr *known = find_addr(name, addr);
	size_t i = name->n_addrs;

	if (!known) {
		name->addrs = xreallocarray(name->addrs, name->n_addrs + 1, sizeof(*name->addrs));
		for (; i > 0 && ipaddr_cmp(&name->addrs[i - 1].addr, addr) > 0; i--)
			name->addrs[i] = name->addrs[i - 1];
		known = &name->addrs[i];
		*known = (struct known_addr){ .addr = *addr };
		name->n_addrs++;
	}
	known->seen_ms = seen_ms;
	known->current = true;
}

/* The target stays while it is among the current addresses; else the lowest of them takes over. */
static void choose_targets(struct name *name)
{
	assert(name->addrs || name->n_addrs == 0);
	for (int family = 0; family < 2; family++) {
		const struct known_addr *known = NULL;

		if (name->targets[family].set)
			known = find_addr(name, &name->targets[family].addr);
		if (known && known->current)
			continue;
		name->targets[family].set = false;
		for (size_t i = name->n_addrs; i-- > 0;) {
			if (!name->addrs[i].current || (int)name->addrs[i].addr.family != family)
				continue;
			name->targets[family].set = true;
			name->targets[family].addr = name->addrs[i].addr;
		}
	}
}

void names_adopt(struct names *names, const char *name, const struct ipaddr *addr,
		 uint64_t remaining_ms, uint64_t now_ms)
{
	struct name *found = names_find(names, name);
	uint64_t age_ms = remaining_ms < names->stale_ms ? names->stale_ms - remaining_ms : 0;

	if (found && !find_addr(found, addr))
		vouch(found, addr, now_ms > age_ms ? now_ms - age_ms : 0);
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
	found->targets[addr->family].set = true;
	found->targets[addr->family].addr = *addr;
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

	for (size_t i = 0; i < names->n; i++)
		if (!names->items[i].asking && names->items[i].ask_ms < due)
			due = names->items[i].ask_ms;
	return due;
}

const char *names_take_due(struct names *names, uint64_t now_ms, size_t *cursor)
{
	while (*cursor < names->n) {
		struct name *name = &names->items[(*cursor)++];

		if (name->asking || name->ask_ms > now_ms)
			continue;
		name->asking = true;
		name->asked_ms = now_ms;
		return name->name;
	}
	return NULL;
}

bool names_asking(const struct names *names, uint64_t until_ms)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->items[i].asking && names->items[i].asked_ms <= until_ms)
			return true;
	return false;
}

/* /etc/hosts may be read as often as one likes. */
void names_refresh(struct names *names, uint64_t now_ms)
{
	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		bool asked = name->asked_ms != 0 && name->state != HOST_STATIC;
		uint64_t earliest = asked ? name->asked_ms + NAME_ASK_MIN_MS : 0;

		if (name->ask_ms > now_ms)
			name->ask_ms = earliest > now_ms ? earliest : now_ms;
	}
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
static void answer_failed(struct names *names, struct name *name, const char *error,
			  uint64_t now_ms)
{
	name->failures++;
	name->error = xstrdup(error ? error : "no answer");
	for (size_t i = 0; i < name->n_addrs; i++)
		if (name->addrs[i].current)
			name->addrs[i].seen_ms = now_ms;
	name->ask_ms = now_ms + wait_after_failures(names, name->failures);
}

static void answer_addrs(struct names *names, struct name *name, const struct ipaddr *addrs,
			 size_t n_addrs, unsigned ttl_s, uint64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < name->n_addrs; i++)
		name->addrs[i].current = false;
	for (size_t i = 0; i < n_addrs; i++)
		if (!ipaddr_is_unspecified(&addrs[i]))
			vouch(name, &addrs[i], now_ms);
	for (size_t i = 0; i < name->n_addrs; i++)
		if (name->state != HOST_STATIC || name->addrs[i].current)
			name->addrs[n++] = name->addrs[i];
	name->n_addrs = n;
	name->failures = 0;
	name->answered = true;
	name->answered_ms = now_ms;
	if (name->state == HOST_STATIC)
		name->ask_ms = now_ms + names->refresh_ms;
	else
		name->ask_ms = now_ms + clamp(1000ull * ttl_s, NAME_ASK_MIN_MS, names->refresh_ms);
}

struct name *names_answer(struct names *names, const char *text, enum host_state state,
			  const struct ipaddr *addrs, size_t n_addrs, unsigned ttl_s,
			  const char *error, uint64_t now_ms)
{
	struct name *name = names_find(names, text);

	if (!name)
		return NULL;
	name->asking = false;
	name->touched_ms = now_ms;
	name->state = state;
	free(name->error);
	name->error = NULL;
	if (state == HOST_DNS || state == HOST_STATIC)
		answer_addrs(names, name, addrs, n_addrs, ttl_s, now_ms);
	else
		answer_failed(names, name, error, now_ms);
	choose_targets(name);
	return name;
}

/* ------------------------------------------------------------------ for compile_policy() */

static void fill_host(const struct name *name, struct host *host)
{
	struct ipaddr *addrs = xcalloc(name->n_addrs, sizeof(*addrs));

	for (size_t i = 0; i < name->n_addrs; i++)
		addrs[i] = name->addrs[i].addr;
	host_set(host, HOST_DNS, addrs, name->n_addrs);
	free(addrs);
	for (int family = 0; family < 2; family++) {
		host->targets[family] = NULL;
		for (size_t i = 0; name->targets[family].set && i < host->n_addrs; i++)
			if (ipaddr_cmp(&host->addrs[i], &name->targets[family].addr) == 0)
				host->targets[family] = &host->addrs[i];
	}
}

void names_fill_hosts(const struct names *names, struct hosts *hosts, uint64_t since_ms)
{
	hosts->timeout_s = (unsigned)(names->stale_ms / 1000);
	for (size_t i = 0; i < hosts->n; i++) {
		struct host *host = &hosts->items[i];
		const struct name *name = names_find(names, host->name);

		if (!name || name->touched_ms < since_ms)
			continue;
		fill_host(name, host);
		/* All that is to stay is known, aging addresses, too, and what was there at the
		 * start: whatever else the kernel holds in the name's name is to go. */
		host->state = HOST_STATIC;
	}
}
