/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Presets: the names that a service documents as its own, each list with its source and date. The files of
 * rulesets/presets/ are compiled in, so that a policy that names a preset means the same on every machine.
 */
#ifndef DOCKSIDE_POLICY_PRESET_H
#define DOCKSIDE_POLICY_PRESET_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/arena.h"

#define PRESET_PREFIX \
	"preset:" /* of an ipset's entry; no hostname and no address begins like that */
/* To whoever writes one elsewhere. */
#define PRESET_HINT                                                                                \
	"a preset stands in the list of an ipset: \"ipsets\": {\"web\": [\"" PRESET_PREFIX "npm\"" \
	"]}"

struct texts {
	const char **items;
	size_t n;
};

struct preset {
	const char *name, *about;
	bool http;	      /* its clients use port 80, too */
	const char *date;     /* "2026-11-29": when somebody read the sources */
	struct texts sources; /* URLs of the service's documents */
	struct texts names;   /* hostnames in lower case, sorted, unique */
	/* "*.example.com", sorted, unique: documented too, and of no use without a DNS gate. */
	struct texts wildcards;
};

struct presets {
	const struct preset *items; /* sorted by name */
	size_t n;
};

/* All of them, in memory of the arena. */
void presets_read(struct arena *arena, struct presets *ret_presets);
/* By name, or NULL. */
const struct preset *presets_find(const struct presets *presets, const char *name);
/* The name of the preset that an ipset's entry asks for; NULL: it is something else. */
const char *preset_entry_name(const char *entry);
/* Whether an ipset's entry is a preset that has the hostname. */
bool preset_entry_has(const char *entry, const char *hostname);
/* 'did you mean "NAME"?', or NULL; the caller frees it. */
char *presets_suggest(const struct presets *presets, const char *name);

#endif
