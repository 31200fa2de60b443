/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_gate_held.h"

#include <stdlib.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/told.h"
#include "dockside/names/gate_lists.h"
#include "dockside/system/log.h"

#define AGAIN_MS 1000u

struct daemon_gate_held {
	struct loop *loop;
	struct enforcer *enforcer;
	struct gate_past names;
	uint32_t *tags; /* of the policies that names are of */
	size_t n_tags, cap_tags;
	uint32_t now;  /* of the policy that runs */
	bool followed; /* a policy runs */
	bool filled; /* somebody else has put into the sets what nobody has noted, or an older version has */
	bool came; /* a gate has */
	bool precise; /* the gate that is connected has told all that the sets hold, and can take it back */
	bool doubted; /* all was emptied after a gate had taken the policy: once will do */
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

static void try_again(struct daemon_gate_held *h, const struct err *err)
{
	note_trouble(h, err);
	loop_arm(h->loop, &h->again, loop_now_ms(h->loop) + AGAIN_MS, on_again, h);
}

static void add_policy(struct daemon_gate_held *h, const struct policy *policy)
{
	h->now = told_tag(policy);
	gate_past_add(&h->names, policy);
	for (size_t i = 0; i < h->n_tags; i++)
		if (h->tags[i] == h->now)
			return;
	h->tags = array_grow(h->tags, &h->cap_tags, h->n_tags, sizeof(*h->tags));
	h->tags[h->n_tags++] = h->now;
}

static enum told_of judge(const struct daemon_gate_held *h, const struct told_record *record)
{
	return told_of(record, h->now, h->tags, h->n_tags);
}

/* Has the kernel write down that the sets have addresses of the running policy alone. */
static void note(struct daemon_gate_held *h, const struct told_record *record)
{
	const struct running *running = h->enforcer->running;
	struct err err = { 0 };

	if (told_note(h->enforcer->loader, &running->plan, &running->policy, record, &err) < 0)
		log_warning("the kernel does not write down whose addresses are open, so the next "
			    "start closes all: %s",
			    err.text);
	err_free(&err);
}

/* A gate that never asked us may have lived, and have told by a policy of its own: the record says so. Returns whether sets
 * were emptied. */
static bool take_back_from(struct daemon_gate_held *h, const struct told_record *record)
{
	const struct running *running = h->enforcer->running;
	enum told_of of = judge(h, record);
	struct buf what = { 0 };
	struct err err = { 0 };
	int r;

	if (of == TOLD_NOTHING && !h->filled && !h->came) {
		clear_trouble(h);
		return false;
	}
	r = told_take_back(h->enforcer->loader, &running->plan, &running->policy, record,
			   h->filled || of == TOLD_OTHERS ? NULL : &h->names, &what, &err);
	if (r < 0) {
		try_again(h, &err);
	} else {
		h->filled = false;
		clear_trouble(h);
	}
	if (r == 0 && of == TOLD_KNOWN)
		note(h, record);
	if (r > 0)
		log_info("names may have left whose addresses the DNS gate does not know: all "
			 "addresses of %s are closed until it tells them again",
			 buf_str(&what));
	buf_free(&what);
	err_free(&err);
	return r > 0;
}

static bool take_back(struct daemon_gate_held *h)
{
	struct told_record record = { 0 };
	struct err err = { 0 };
	bool emptied = false;

	if (!h->followed)
		return false;
	if (!gate_wanted(&h->enforcer->running->policy)) {
		clear_trouble(h); /* there are no sets */
		return false;
	}
	if (told_record_read(h->enforcer->reader, &record, &err) < 0)
		try_again(h, &err);
	else
		emptied = take_back_from(h, &record);
	told_record_free(&record);
	err_free(&err);
	return emptied;
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

/* An earlier life has left addresses of the policy that was accepted last, or nobody knows whose they are. */
static void look_back(struct daemon_gate_held *h)
{
	h->filled |= h->enforcer->untagged || judge(h, &h->enforcer->told) == TOLD_OTHERS;
	h->followed = true;
}

bool daemon_gate_held_follow(struct daemon_gate_held *h)
{
	bool first = !h->followed, same;

	add_policy(h, &h->enforcer->running->policy);
	if (first)
		look_back(h);
	same = !first && h->n_tags == 1;
	h->doubted = h->doubted && same;
	return !h->precise && !same && take_back(h);
}

static bool is_empty(struct daemon_gate_held *h)
{
	struct told_record record = { 0 };
	bool empty = told_record_read(h->enforcer->reader, &record, NULL) >= 0 && record.n == 0;

	told_record_free(&record);
	return empty;
}

bool daemon_gate_held_came(struct daemon_gate_held *h)
{
	h->precise = !h->came && !h->enforcer->untagged && is_empty(h);
	h->came = true;
	h->doubted = false;
	return take_back(h);
}

bool daemon_gate_held_unsure(struct daemon_gate_held *h)
{
	h->precise = false;
	return take_back(h);
}

/* The gate has taken back what it told by the policies before; but where a slot has moved it may have told one list's
 * addresses for another list, and does not know of it. If the kernel has addresses of other policies after all was emptied
 * for that, then the gate sends tags that are not ours, and would do so again. */
static bool settle(struct daemon_gate_held *h, bool missed)
{
	struct told_record record = { 0 };
	enum told_of of = told_record_read(h->enforcer->reader, &record, NULL) < 0
				  ? TOLD_OTHERS
				  : judge(h, &record);
	bool emptied = false;

	if (missed || gate_past_moved(&h->names, &h->names) || (of == TOLD_OTHERS && !h->doubted)) {
		h->precise = false;
		h->doubted = of == TOLD_OTHERS;
		emptied = take_back(h);
	} else if (of == TOLD_KNOWN) {
		note(h, &record);
	} else if (of == TOLD_OTHERS) {
		log_warning("the DNS gate does not say whose addresses it opens: is it of another "
			    "version? The next start of the daemon closes them");
	}
	told_record_free(&record);
	return emptied;
}

bool daemon_gate_held_taken(struct daemon_gate_held *h, bool missed)
{
	bool emptied = settle(h, missed);

	if (h->trouble)
		return emptied;
	gate_past_free(&h->names);
	h->n_tags = 0;
	add_policy(h, &h->enforcer->running->policy);
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
