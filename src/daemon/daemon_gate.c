/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The kernel comes first: once it holds a policy, the gate is given the document of it, which names the same slots. The
 * kernel loses what the gate has told it where somebody deletes our sets or empties them, and perhaps while no daemon
 * ran: then we have the gate tell it again, with the next document or with the same one.
 *
 * Reports of the gate are for people. Nothing in them decides what the rules say, nor how many of our resources they take.
 */
#include "daemon_gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon_gate_held.h"
#include "daemon_gate_link.h"
#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/ctl/gate_peer.h"
#include "dockside/enforce/told.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/names/gate_document.h"
#include "dockside/system/log.h"
#include "dockside/system/memfd.h"

#define AGAIN_MS 1000u /* where it could not be given the document */
#define LOOK_MS 60000u
#define TOLD_ADDRESSES_MAX 64
/* Bytes of what it says; a gate that nobody has taken over keeps to that. */
#define NAME_BYTES_MAX 1024
#define TYPE_BYTES_MAX 12
#define REASON_BYTES_MAX 200
#define TIMES_MAX 1000000

struct daemon_gate {
	struct loop *loop;
	struct enforcer *enforcer;
	struct daemon_names *names;
	struct daemon_denied *denied;
	struct daemon_gate_handler handler;
	struct daemon_gate_link *link; /* NULL: no socket */
	sd_event_source *again, *patience;
	struct gate_state state;
	struct buf document; /* of the policy that runs; empty: none was made yet */
	char generation[GATE_GENERATION_SIZE];
	int64_t serial; /* of the last giving */
	bool retell;	/* with the next document */
	struct daemon_gate_held *held;
	sd_event_source *looks;
	bool missing; /* questions seem to be */
};

const struct gate_state *daemon_gate_state(struct daemon_gate *k)
{
	k->state.held = daemon_gate_held_trouble(k->held);
	return &k->state;
}

/* ------------------------------------------------------------------ the policy */

/* By now it is an alarm that the gate is not there, or has not taken the policy. */
static int on_patience(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_gate *k = data;

	(void)source;
	(void)usec;
	loop_post(k->loop, NOTE_STATUS);
	return 0;
}

static void be_patient(struct daemon_gate *k)
{
	loop_arm(k->loop, &k->patience, loop_now_ms(k->loop) + GATE_PATIENCE_MS, on_patience, k);
}

static int on_again(sd_event_source *source, uint64_t usec, void *data);

static void give(struct daemon_gate *k)
{
	struct err err = { 0 };
	int fd, r;

	if (!k->state.connected || k->document.len == 0)
		return;
	fd = memfd_sealed("dsfw-nft-gate", k->document.data, k->document.len, &err);
	r = fd < 0 ? fd : daemon_gate_link_give(k->link, fd, ++k->serial, k->retell);
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		log_warning("the DNS gate cannot be given the policy: %s; trying again",
			    err.text ? err.text : strerror(-r));
		loop_arm(k->loop, &k->again, loop_now_ms(k->loop) + AGAIN_MS, on_again, k);
	} else {
		k->retell = false;
		gate_state_policy(&k->state, GATE_POLICY_GIVEN, NULL, loop_now_ms(k->loop));
		be_patient(k);
	}
	err_free(&err);
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	give(data);
	return 0;
}

void daemon_gate_follow(struct daemon_gate *k)
{
	struct ipaddr servers[GATE_UPSTREAM_MAX];
	struct buf text = { 0 };
	size_t n;

	if (!k->enforcer->running)
		return;
	k->retell = daemon_gate_held_follow(k->held) || k->retell;
	if (!k->link)
		return;
	gate_state_follow(&k->state, &k->enforcer->running->policy);
	n = daemon_names_servers(k->names, servers, ARRAY_SIZE(servers));
	gate_document_write(&k->enforcer->running->policy, told_tag(&k->enforcer->running->policy),
			    servers, n, &text, k->generation);
	if (k->document.len == text.len && memcmp(k->document.data, text.data, text.len) == 0) {
		buf_free(&text);
		if (k->retell)
			give(k);
		return;
	}
	buf_free(&k->document);
	k->document = text;
	give(k);
}

void daemon_gate_retell(struct daemon_gate *k)
{
	k->retell = true;
	daemon_gate_follow(k);
}

void daemon_gate_filled(struct daemon_gate *k)
{
	daemon_gate_held_filled(k->held);
	daemon_gate_retell(k);
}

/* ------------------------------------------------------------------ questions that do not arrive */

static int on_look(sd_event_source *source, uint64_t usec, void *data);

/* Reads no more than it needs: at 1000 networks all of the table takes half a second of a processor, which the gate
 * would lack. */
static bool compare(struct daemon_gate *k, const struct running *running)
{
	struct arena arena = { 0 };
	struct actual actual;
	size_t n;
	const char **names = gate_chains(&running->policy, &arena, &n);
	bool missing = k->missing;

	/* If it fails: next time. */
	if (nft_read_rules(k->enforcer->reader, TABLE_INET, names, n, &actual, NULL) >= 0) {
		missing = gate_state_look(&k->state, &running->policy, &running->plan, &actual,
					  loop_now_ms(k->loop));
		actual_free(&actual);
	}
	arena_free(&arena);
	return missing;
}

/* Whether somebody else's rules drop what ours send to the gate. */
static void look(struct daemon_gate *k)
{
	const struct running *running = k->enforcer->running;
	uint64_t now_ms = loop_now_ms(k->loop);
	bool missing = k->state.connected && running && gate_wanted(&running->policy) &&
		       compare(k, running);

	if (missing != k->missing)
		loop_post(k->loop, NOTE_STATUS);
	k->missing = missing;
	loop_arm(k->loop, &k->looks, now_ms + (missing ? GATE_MISSING_MS : LOOK_MS), on_look, k);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_gate *k = data;

	(void)source;
	(void)usec;
	look(k);
	if (k->missing) /* for long enough by now, perhaps */
		loop_post(k->loop, NOTE_STATUS);
	return 0;
}

void daemon_gate_look(struct daemon_gate *k)
{
	if (k->link)
		look(k);
}

/* ------------------------------------------------------------------ reports */

static bool may(void *data, uid_t uid)
{
	const struct daemon_gate *k = data;

	return gate_peer_may(&k->enforcer->options, uid);
}

static void came(void *data, pid_t pid)
{
	struct daemon_gate *k = data;

	log_info("the DNS gate is connected, pid %d", (int)pid);
	gate_state_connected(&k->state, pid, loop_now_ms(k->loop));
	k->retell = daemon_gate_held_came(k->held) || k->retell;
	give(k);
	look(k);
	loop_post(k->loop, NOTE_STATUS);
}

static void went(void *data)
{
	struct daemon_gate *k = data;

	log_warning("the DNS gate has gone: no name is answered until it is back");
	gate_state_gone(&k->state, loop_now_ms(k->loop));
	k->retell = daemon_gate_held_unsure(k->held) || k->retell;
	be_patient(k);
}

/* Once for each time that it was given a policy, so that it cannot fill the log. */
static void on_taken(struct daemon_gate *k, const struct json_node *message)
{
	if (!gate_peer_has_taken(message, k->generation, k->serial))
		return; /* it answers an earlier giving */
	if (k->state.policy == GATE_POLICY_TAKEN)
		return;
	gate_state_policy(&k->state, GATE_POLICY_TAKEN, NULL, loop_now_ms(k->loop));
	log_info("the DNS gate has taken the policy");
	loop_post(k->loop, NOTE_STATUS);
	if (daemon_gate_held_taken(k->held, json_is_true(message, "missed")))
		daemon_gate_retell(k);
}

/* It does not know the generation of a document that it cannot read. */
static void on_refused(struct daemon_gate *k, const struct json_node *message)
{
	const char *generation = json_text(message, "generation", "");
	const char *why = gate_peer_text(message, "why", GATE_PEER_WHY_MAX, "it does not say why");

	if (generation[0] && strcmp(generation, k->generation) != 0)
		return;
	if (k->state.policy != GATE_POLICY_GIVEN)
		return;
	gate_state_policy(&k->state, GATE_POLICY_REFUSED, why, loop_now_ms(k->loop));
	log_error("the DNS gate does not take the policy, and goes on with the last one: %.400s",
		  why);
	k->retell = daemon_gate_held_unsure(k->held) || k->retell;
	loop_post(k->loop, NOTE_STATUS);
}

static const struct network *network_of(const struct daemon_gate *k,
					const struct json_node *message)
{
	const struct policy *policy = &k->enforcer->running->policy;
	const char *name = json_text(message, "network", "");

	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated && strcmp(policy->networks[i].name, name) == 0)
			return &policy->networks[i];
	return NULL;
}

static void on_alarm(struct daemon_gate *k, const struct network *network, const char *name,
		     const char *why)
{
	if (!gate_state_trouble(&k->state, network->name, name, why, loop_now_ms(k->loop)))
		return;
	log_warning("the DNS gate, network %s, name %.253s: %.200s", network->name, name, why);
	loop_post(k->loop, NOTE_STATUS);
}

static void on_told(struct daemon_gate *k, const struct network *network, const char *name,
		    const struct json_node *message)
{
	const struct json_node *list = json_member(message, "addresses", JSON_ARRAY);

	for (size_t i = 0; list && i < list->u.children.n && i < TOLD_ADDRESSES_MAX; i++) {
		const struct json_node *item = &list->u.children.items[i];
		struct ipaddr addr;

		if (item->kind == JSON_STRING &&
		    ipaddr_parse(item->u.string.s, item->u.string.len, &addr))
			daemon_denied_told(k->denied, network->bridge, name, &addr);
	}
}

static void on_refusal(struct daemon_gate *k, const struct network *network, const char *name,
		       const struct json_node *message)
{
	const struct json_node *times = json_member(message, "times", JSON_INT);
	const char *client = json_text(message, "client", "");
	struct denied_dns question = {
		.type = gate_peer_text(message, "qtype", TYPE_BYTES_MAX, "?"),
		.reason = gate_peer_text(message, "why", REASON_BYTES_MAX, "?"),
		.times = times && times->u.integer > 0 && times->u.integer <= TIMES_MAX
				 ? (uint64_t)times->u.integer
				 : 1,
	};
	struct ipaddr addr;

	if (ipaddr_parse(client, strlen(client), &addr))
		daemon_denied_question(k->denied, network, &addr, name, &question);
}

static void said(void *data, const struct json_node *message)
{
	struct daemon_gate *k = data;
	const char *type = json_text(message, "type", "");
	const char *name = gate_peer_text(message, "name", NAME_BYTES_MAX, NULL);
	const struct network *network;

	if (strcmp(type, "taken") == 0)
		on_taken(k, message);
	else if (strcmp(type, "refused") == 0)
		on_refused(k, message);
	else if (strcmp(type, "state") == 0)
		gate_state_read(&k->state, message);
	else if (!name || !(network = network_of(k, message)))
		return;
	else if (strcmp(type, "alarm") == 0)
		on_alarm(k, network, name,
			 gate_peer_text(message, "why", REASON_BYTES_MAX, "it does not say why"));
	else if (strcmp(type, "told") == 0)
		on_told(k, network, name, message);
	else if (strcmp(type, "refusal") == 0)
		on_refusal(k, network, name, message);
}

/* ------------------------------------------------------------------ start and stop */

int daemon_gate_open(struct loop *loop, struct enforcer *enforcer, struct daemon_names *names,
		     struct daemon_denied *denied, const char *path, struct daemon_gate **ret_gate,
		     struct err *err)
{
	struct daemon_gate *k = xcalloc(1, sizeof(*k));
	int r = 0;

	k->loop = loop;
	k->enforcer = enforcer;
	k->names = names;
	k->denied = denied;
	k->handler = (struct daemon_gate_handler){ may, came, said, went, k };
	k->retell = true;
	k->held = daemon_gate_held_open(loop, enforcer);
	k->state.since_ms = loop_now_ms(loop);
	if (path)
		r = daemon_gate_link_open(loop, path, &k->handler, &k->link, err);
	if (r < 0) {
		daemon_gate_close(k);
		return r;
	}
	k->state.listens = path != NULL;
	if (path)
		be_patient(k);
	*ret_gate = k;
	return 0;
}

void daemon_gate_close(struct daemon_gate *k)
{
	if (!k)
		return;
	daemon_gate_link_close(k->link);
	sd_event_source_disable_unref(k->again);
	sd_event_source_disable_unref(k->patience);
	sd_event_source_disable_unref(k->looks);
	gate_state_free(&k->state);
	daemon_gate_held_close(k->held);
	buf_free(&k->document);
	free(k);
}
