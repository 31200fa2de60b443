/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's memory of each name over time: its addresses, when each was last
 * vouched for, and when to ask again. Pure: the time is a parameter, in milliseconds of one clock
 * that never goes back.
 */
#ifndef DOCKSIDE_NAMES_NAMES_H
#define DOCKSIDE_NAMES_NAMES_H

#include "dockside/names/resolved.h"

#define NAME_ASK_MIN_MS 5000  /* a name is asked at most this often */
#define NAME_TRIES 3	      /* a name that never resolved goes before others so many times */
#define NAME_PUT_MAX_MS 10000 /* for longer nobody waits until a question can be put */
#define NAME_NONE_MS 300000   /* for how long there is no address, if DNS does not say */

struct known_addr {
	struct ipaddr addr;
	uint64_t seen_ms; /* when it was last vouched for: by an answer, or by an outage since */
	bool current;	  /* the last answer of its family had it */
	bool never;	  /* it opens nothing (never.h) */
	bool told;	  /* the caller's: the log has that */
};

/* The outcome of asking for one family of a name. */
struct name_family {
	enum resolved_state state; /* of the last answer */
	struct {
		bool set;
		struct ipaddr addr;
	} target; /* for NAT; stays as long as answers have it */
	bool asking;
	uint64_t asked_ms;		/* since when */
	uint64_t ask_ms;		/* when to ask next, unless asking */
	uint64_t good_ms;		/* until then the last answer holds, by its TTL */
	unsigned failures;		/* in a row */
	bool answered;			/* ever, with success */
	uint64_t answered_ms;		/* the last time that it was */
	uint64_t n_answers, n_failures; /* since it is configured */
};

struct name {
	char *name;		  /* lower case */
	struct known_addr *addrs; /* sorted; those that are still to be let through */
	size_t n_addrs;
	struct name_family families[N_FAMILIES];
	char *errors[N_FAMILIES]; /* by family: why the last question failed, or NULL */
	uint64_t touched_ms;	  /* when it last changed, or was vouched for again */
	unsigned told;		  /* the caller's: the trouble that it has logged */
	bool local; /* the caller's: /etc/hosts has it, so that asking costs nothing */
};

/* The troubles of a name, as bits. */
enum name_trouble {
	NAME_IPV4_FAILS = 1 << FAMILY_IPV4,
	NAME_IPV6_FAILS = 1 << FAMILY_IPV6,
	NAME_EMPTY = 1 << N_FAMILIES, /* it exists, but has no address */
};

/* Sorted by name. */
struct names {
	struct name *items;
	size_t n;
	uint64_t refresh_ms; /* a name is asked at least this often */
	uint64_t stale_ms;   /* an address outlives the last answer that had it by this much */
	size_t turn;	     /* of those that never resolved */
	uint64_t new_ms;     /* none of those is due before then */
	const struct never *never; /* names_set_never()'s */
	bool configured;	   /* names_configure() says so to its caller, who takes it back */
};

/* The number of questions that the servers may be asked. */
enum names_room {
	NAMES_FULL,   /* nothing: only what is local */
	NAMES_SCARCE, /* not what still holds by its TTL */
	NAMES_FREE,
};

/* An address must be vouched for again before its time is up, so that the interval is shortened to
 * half the stale time where it is longer. Each family of a name is asked for by itself, fails by
 * itself, and keeps its addresses by itself. */
void names_init(struct names *names, unsigned refresh_s, unsigned stale_s);
void names_free(struct names *names);

/* These are the names now. Names that stay keep their addresses; new ones are due at once. */
void names_configure(struct names *names, const struct resolved *wanted, uint64_t now_ms);
struct name *names_find(const struct names *names, const char *name);

/* An address that the kernel holds for a name, found at the start. remaining_ms is the rest of its
 * timeout. It counts as an address that the last answer had. */
void names_adopt(struct names *names, const char *name, const struct ipaddr *addr,
		 uint64_t remaining_ms, uint64_t now_ms);
/* The address that the kernel's NAT leads to for a name, found at the start: it stays the target,
 * whatever else is adopted, until an answer is without it. */
void names_adopt_target(struct names *names, const char *name, const struct ipaddr *addr,
			uint64_t now_ms);

/* The time at which the next question is due; UINT64_MAX: none is. */
uint64_t names_due(const struct names *names);
/* The next name that a question is due for, marked as being asked; NULL when there is none. Those that never
 * resolved come first, for their first NAME_TRIES questions. The others take turns: *cursor says
 * whose turn it is. The caller sets it to 0 at first and keeps it from round to round: if a round
 * has no time or room for all names, the next one goes on where it ended. Borrowed until the names
 * are configured again. */
const char *names_take_due(struct names *names, uint64_t now_ms, enum names_room room,
			   size_t *cursor, enum family *ret_family);
/* Whether a question that was due until then, asked or not, has no answer yet. One that could not be put for
 * NAME_PUT_MAX_MS is not waited for. */
bool names_asking(const struct names *names, uint64_t until_ms, uint64_t now_ms);
/*
 * Keeps alive the addresses of each last answer whose next question is late, because we did not put
 * it in time, or need not as the answer still holds. Our delay says nothing about these addresses,
 * so they must not run out of time by it. Returns whether there were any.
 */
bool names_vouch(struct names *names, uint64_t now_ms);
/* A name's questions are due now. */
void name_due(struct names *names, struct name *name, uint64_t now_ms);
/* Makes every question due now, but those that DNS was asked within the last NAME_ASK_MIN_MS. */
void names_refresh(struct names *names, uint64_t now_ms);

/*
 * An answer for one family. Addresses that it has are vouched for; a failure vouches for those of the
 * family's last answer; others of the family age, or go at once if the answer is static. Returns the
 * name, or NULL if it is no longer configured.
 */
struct name *names_answer(struct names *names, const struct answer *answer, uint64_t now_ms);

/* From now on these addresses open nothing; borrowed. To be called again when there are others.
 * This touches the names that have an address for which that changes; returns whether there are
 * any. */
bool names_set_never(struct names *names, const struct never *never, uint64_t now_ms);

/* Counts the addresses of a name that are refused: a rule would open them, and they never open anything. */
size_t name_refused(const struct name *name, const struct policy *policy);

/* Bits of enum name_trouble. */
unsigned name_trouble(const struct name *name);
/* Whether a question is open. */
bool name_asking(const struct name *name);

/* Forgets addresses whose time is up; whether there were any. */
bool names_expire(struct names *names, uint64_t now_ms);

/* Fills in what compile_policy() needs about the names of a policy (resolved_collect()), timeouts
 * included: of all of them, or of those that were touched since then. */
void names_fill_resolved(const struct names *names, struct resolved *resolved, uint64_t since_ms);

#endif
