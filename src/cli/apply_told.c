/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The gate comes first: what it tells after the sets were emptied stays. Once it has said that it has taken the policy it
 * tells nothing of an older one. Then we empty the sets of ipsets that have lost a name, and then it tells again what it
 * knows, so that the other names' addresses are open at once.
 *
 * A process that has the gate's port and does not come may be a gate with an older policy. Nobody knows which names that
 * has: all sets are emptied, and the command fails. The kernel keeps its policy's tag with what it tells afterwards (told.c),
 * so that the next run empties them, too, be the gate gone by then or not.
 */
#include "apply_told.h"

#include <errno.h>
#include <stdio.h>

#include "apply_gate.h"
#include "dockside/base/buf.h"
#include "dockside/enforce/told.h"
#include "dockside/names/gate_lists.h"
#include "dockside/names/gate_lost.h"
#include "dockside/system/log.h"

enum gate {
	GATE_NONE,   /* none lives */
	GATE_TAKEN,  /* it has taken the policy */
	GATE_MISSED, /* so it has, but the kernel did not take back all that is to go */
	GATE_OLDER,  /* it may have an older one */
};

struct past {
	struct gate_past held; /* the names of the policy that was accepted last */
	struct told_record record;
	bool known; /* the sets have addresses of that policy, and of the one in force, alone */
	bool noted; /* so the kernel has written down, and of the one in force alone */
};

struct apply_told_before apply_told_look(struct nft_reader *reader, const struct policy *policy)
{
	struct actual table = { .family = TABLE_INET };
	struct apply_told_before before = { 0 };

	if (!gate_wanted(policy))
		return before;
	before.untagged =
		nft_read_sets(reader, TABLE_INET, &table, NULL) < 0 || told_is_untagged(&table);
	told_record_of(&table, &before.record);
	actual_free(&table);
	return before;
}

/* Only the kernel knows what the sets have: a gate may have had other policies than the one that was accepted last. And
 * none has told anything by its own policy since, where it has taken this one, or is gone. */
static void look_back(const struct apply_told *told, enum gate gate, struct past *past)
{
	uint32_t now = told_tag(told->policy), last = told_tag(&told->kept->last);
	enum told_of of;

	gate_past_add(&past->held, &told->kept->last);
	if (!gate_wanted(told->policy) || told_record_read(told->reader, &past->record, NULL) < 0)
		return;
	of = told_of(&past->record, now, &last, 1);
	past->noted = of == TOLD_NOW;
	past->known = gate != GATE_OLDER && gate != GATE_MISSED && !told->before->untagged &&
		      of != TOLD_OTHERS &&
		      told_of(&told->before->record, now, &last, 1) != TOLD_OTHERS;
}

static void past_free(struct past *past)
{
	gate_past_free(&past->held);
	told_record_free(&past->record);
}

/* ------------------------------------------------------------------ the gate */

/* *why: of GATE_OLDER. Without a gated network there are no sets, and a gate opens nothing, whatever policy it has. */
static enum gate give_policy(const struct apply_told *told, struct apply_gate **ret_gate,
			     struct err *why)
{
	const struct plan_options *options = &told->plan->options;

	if (!gate_wanted(told->policy) || !apply_gate_may_live(options))
		return GATE_NONE;
	if (apply_gate_open(told->gate_socket, told->policy, options, ret_gate, why) < 0)
		return apply_gate_may_live(options) ? GATE_OLDER : GATE_NONE;
	return apply_gate_missed(*ret_gate) ? GATE_MISSED : GATE_TAKEN;
}

static void set_older(const char *socket, const struct err *why, struct err *open)
{
	err_set(open, why->code,
		"the rules are loaded, but addresses of names that are gone may be opened again: a "
		"process has UDP port 5301, and if it is the DNS gate, it goes on with the policy "
		"that it had: %s; have it ask there (--gate-socket %s), start the daemon, or stop "
		"the gate, and apply again",
		why->text, socket);
}

/* Returns whether the gate has told again what it knows. */
static bool retell(struct apply_gate *gate)
{
	struct err err = { 0 };
	bool ok = apply_gate_retell(gate, &err) >= 0;

	if (!ok)
		log_warning("the DNS gate has taken the policy, but did not open again what it "
			    "knows: %s",
			    err.text);
	err_free(&err);
	return ok;
}

/* ------------------------------------------------------------------ the sets */

static bool has_taken(enum gate gate)
{
	return gate == GATE_TAKEN || gate == GATE_MISSED;
}

static void print_closed(const struct buf *what, enum gate gate, bool retold, struct report *report)
{
	if (report->json) {
		json_write_string(&report->out, "told_closed", buf_str(what));
		return;
	}
	printf("closed all addresses of %s, as names may have left; ", buf_str(what));
	if (gate == GATE_OLDER)
		printf("the DNS gate opens the others again when a daemon starts, or by SIGHUP if "
		       "it has --policy\n");
	else if (retold)
		printf("the DNS gate has opened the others again\n");
	else
		printf("the DNS gate opens the others again with their next answers\n");
}

static void print_gate(enum gate gate, struct report *report)
{
	if (gate != GATE_NONE)
		json_write_bool(&report->out, "gate_taken", has_taken(gate));
	if (has_taken(gate) && !report->json)
		printf("the DNS gate has taken the policy\n");
}

int apply_told(const struct apply_told *told, struct report *report, struct err *open,
	       struct err *err)
{
	struct apply_gate *connection = NULL;
	struct past past = { 0 };
	struct buf what = { 0 };
	struct err why = { 0 };
	bool retold = false;
	enum gate gate;
	int r;

	gate = give_policy(told, &connection, &why);
	print_gate(gate, report);
	look_back(told, gate, &past);
	r = told_take_back(told->loader, told->plan, told->policy, &past.record,
			   past.known ? &past.held : NULL, &what, err);
	if (r == 0 && !past.noted)
		r = told_note(told->loader, told->plan, told->policy, &past.record, err);
	if (r < 0)
		err_prefix(err, "the rules are loaded, but addresses of names that are gone may "
				"still be open");
	if (connection)
		retold = retell(connection);
	if (r > 0)
		print_closed(&what, gate, retold, report);
	if (gate == GATE_OLDER)
		set_older(told->gate_socket, &why, open);
	apply_gate_close(connection);
	err_free(&why);
	buf_free(&what);
	past_free(&past);
	return r < 0 ? r : 0;
}
