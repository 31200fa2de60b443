/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_gate_held.h"

#include <stdlib.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/told.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/system/log.h"

#define AGAIN_MS 1000u

struct daemon_gate_held {
	struct loop *loop;
	struct enforcer *enforcer;
	struct gate_past names;
	uint32_t *tags; /* of the policies that names are of */
	size_t n_tags, cap_tags;
	bool looked; /* at what the kernel had before the first policy */
	bool unknown; /* it had addresses of other names than those of the policy that was accepted last */
	bool filled; /* somebody else has put into the sets what nobody has noted */
	bool came;   /* a gate has */
	bool precise; /* the gate that is connected has told all that the sets hold, and can take it back */
	bool taken;   /* a gate has taken the policy that runs, and the kernel knows of no other */
	uint32_t tag; /* of the policy that the kernel has written down last; 0: none */
	sd_event_source *again;
	char *trouble;
};

static void note_trouble(struct daemon_gate_held *h, const struct err *err)
{
	if (!h->trouble)
		log_error("addresses of names that are gone may still be open: %s; trying again",
			  err->text);
	free(h->trouble);
	h->trouble = xstrdup(err->text);
	loop_post(h->loop, NOTE_STATUS);
}

static void clear_trouble(struct daemon_gate_held *h)
{
	if (!h->trouble)
		return;
	log_info("addresses of names that are gone are closed now");
	free(h->trouble);
	h->trouble = NULL;
	loop_post(h->loop, NOTE_STATUS);
}

static int on_again(sd_event_source *source, uint64_t usec, void *data);

/* Has the kernel write down that the sets have addresses of those names alone. */
static bool note(struct daemon_gate_held *h, const struct gate_past *now)
{
	struct err err = { 0 };
	int r = told_note(h->enforcer->loader, &h->enforcer->running->plan, now, &err);

	h->tag = r < 0 ? 0 : gate_past_tag(now);
	if (r < 0)
		log_warning("the kernel does not write down whose addresses are open, so the next "
			    "start closes all: %s",
			    err.text);
	err_free(&err);
	return r >= 0;
}

static void add_policy(struct daemon_gate_held *h, const struct policy *policy)
{
	uint32_t tag = gate_policy_tag(policy);

	gate_past_add(&h->names, policy);
	for (size_t i = 0; i < h->n_tags; i++)
		if (h->tags[i] == tag)
			return;
	h->tags = array_grow(h->tags, &h->cap_tags, h->n_tags, sizeof(*h->tags));
	h->tags[h->n_tags++] = tag;
}

/* A gate that never asked us may have lived, and have told by a policy of its own. */
static bool has_others(struct daemon_gate_held *h)
{
	struct actual table = { .family = TABLE_INET };
	bool others = nft_read_sets(h->enforcer->reader, TABLE_INET, &table, NULL) < 0 ||
		      told_has_others(&table, h->tags, h->n_tags);

	actual_free(&table);
	return others;
}

static void look(struct daemon_gate_held *h)
{
	if (h->looked)
		return;
	h->looked = true;
	h->unknown = h->enforcer->had_told && !h->enforcer->told_last;
	h->tag = h->enforcer->told_last ? h->tags[0] : 0;
}

static bool take_back(struct daemon_gate_held *h)
{
	const struct running *running = h->enforcer->running;
	struct gate_past now = { 0 };
	struct buf what = { 0 };
	struct err err = { 0 };
	int r;

	if (!running)
		return false;
	look(h);
	h->unknown |= has_others(h);
	gate_past_add(&now, &running->policy);
	r = told_take_back(h->enforcer->loader, &running->plan,
			   h->filled || h->unknown ? NULL : &h->names, &now, &what, &err);
	if (r < 0) {
		note_trouble(h, &err);
		loop_arm(h->loop, &h->again, loop_now_ms(h->loop) + AGAIN_MS, on_again, h);
	} else {
		h->unknown = h->filled = false;
		clear_trouble(h);
	}
	if (r == 0 && h->tag != gate_past_tag(&now))
		note(h, &now);
	if (r > 0) {
		h->tag = gate_past_tag(&now);
		log_info("names may have left whose addresses the DNS gate does not know: all "
			 "addresses of %s are closed until it tells them again",
			 buf_str(&what));
	}
	gate_past_free(&now);
	buf_free(&what);
	err_free(&err);
	return r > 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_gate_held *h = data;

	(void)source;
	(void)usec;
	if (take_back(h))
		loop_post(h->loop, NOTE_TOLD);
	return 0;
}

bool daemon_gate_held_follow(struct daemon_gate_held *h)
{
	const struct policy *policy = &h->enforcer->running->policy;
	bool emptied = !h->precise && take_back(h);

	add_policy(h, policy); /* a gate is about to hear of it */
	h->taken = h->taken && gate_policy_tag(policy) == h->tag;
	return emptied;
}

bool daemon_gate_held_came(struct daemon_gate_held *h)
{
	h->precise = !h->came && !h->enforcer->had_told;
	h->came = true;
	return take_back(h);
}

bool daemon_gate_held_gone(struct daemon_gate_held *h)
{
	h->precise = false;
	return take_back(h);
}

bool daemon_gate_held_taken(struct daemon_gate_held *h, bool missed)
{
	bool emptied = false;

	if (missed || has_others(h)) {
		h->precise = false;
		emptied = take_back(h);
	}
	if (h->trouble)
		return emptied;
	gate_past_free(&h->names);
	h->n_tags = 0;
	add_policy(h, &h->enforcer->running->policy);
	if (!h->taken)
		h->taken = note(h, &h->names);
	return emptied;
}

void daemon_gate_held_filled(struct daemon_gate_held *h)
{
	h->filled = true;
	take_back(h);
}

const char *daemon_gate_held_trouble(const struct daemon_gate_held *h)
{
	return h->trouble;
}

struct daemon_gate_held *daemon_gate_held_open(struct loop *loop, struct enforcer *enforcer)
{
	struct daemon_gate_held *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->enforcer = enforcer;
	add_policy(h, &enforcer->drain.last);
	return h;
}

void daemon_gate_held_close(struct daemon_gate_held *h)
{
	if (!h)
		return;
	sd_event_source_disable_unref(h->again);
	gate_past_free(&h->names);
	free(h->tags);
	free(h->trouble);
	free(h);
}
