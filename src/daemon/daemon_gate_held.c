/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_gate_held.h"

#include <stdlib.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/told.h"
#include "dockside/system/log.h"

#define AGAIN_MS 1000u

struct daemon_gate_held {
	struct loop *loop;
	struct enforcer *enforcer;
	struct gate_past names;
	bool unknown; /* the sets hold what nobody has noted */
	bool strange; /* a gate has gone, and what it told may be in the sets */
	sd_event_source *again;
	char *trouble;
};

static void tell(const struct buf *ipsets, int n)
{
	log_info("names have left the ipset%s %s, and the DNS gate does not know all of their "
		 "addresses: all addresses of %s are closed until it tells them again",
		 plural((size_t)n), buf_str(ipsets), n == 1 ? "the ipset" : "these ipsets");
}

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

static bool take_back(struct daemon_gate_held *h)
{
	const struct running *running = h->enforcer->running;
	struct gate_past now = { 0 };
	struct buf ipsets = { 0 };
	struct err err = { 0 };
	int n = 0;

	if (!running)
		return false;
	gate_past_add(&now, &running->policy);
	if (h->strange || h->enforcer->had_table)
		n = told_take_back(h->enforcer->loader, &running->plan,
				   h->unknown ? NULL : &h->names, &now, &ipsets, &err);
	if (n < 0) {
		note_trouble(h, &err);
		loop_arm(h->loop, &h->again, loop_now_ms(h->loop) + AGAIN_MS, on_again, h);
	} else {
		h->unknown = false;
		clear_trouble(h);
	}
	if (n > 0)
		tell(&ipsets, n);
	gate_past_free(&now);
	buf_free(&ipsets);
	err_free(&err);
	return n > 0;
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
	bool emptied = take_back(h);

	gate_past_add(&h->names, &h->enforcer->running->policy);
	return emptied;
}

bool daemon_gate_held_gone(struct daemon_gate_held *h)
{
	h->strange = true;
	return take_back(h);
}

void daemon_gate_held_taken(struct daemon_gate_held *h)
{
	if (h->trouble)
		return;
	gate_past_free(&h->names);
	gate_past_add(&h->names, &h->enforcer->running->policy);
}

const char *daemon_gate_held_trouble(const struct daemon_gate_held *h)
{
	return h->trouble;
}

struct daemon_gate_held *daemon_gate_held_open(struct loop *loop, struct enforcer *enforcer)
{
	const struct policy *last = &enforcer->drain.last;
	struct daemon_gate_held *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->enforcer = enforcer;
	h->unknown = !last->firewall_src.text;
	gate_past_add(&h->names, last);
	return h;
}

void daemon_gate_held_close(struct daemon_gate_held *h)
{
	if (!h)
		return;
	sd_event_source_disable_unref(h->again);
	gate_past_free(&h->names);
	free(h->trouble);
	free(h);
}
