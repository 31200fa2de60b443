/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question's way: who asks, may he, does the cache know, what do the name servers say, what is never given, has the
 * kernel been told, the answer.
 */
#ifndef DOCKSIDE_GATE_GATE_DESK_H
#define DOCKSIDE_GATE_GATE_DESK_H

#include <netinet/in.h>

#include "dockside/base/addr.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/system/dns_upstream.h"
#include "gate_report.h"

struct gate_desk;

/* A question came from there, and its answer goes there. */
struct gate_client {
	bool tcp;
	unsigned ifindex;
	struct ipaddr addr;
	uint16_t port;	     /* UDP: of the client, network byte order */
	struct ipaddr local; /* UDP: what the question was sent to */
	uint32_t slot;	     /* TCP: the connection */
	uint64_t serial;
};

/* Sends a reply. Borrowed. */
typedef void (*gate_reply_fn)(void *data, const struct gate_client *client, const uint8_t *reply,
			      size_t len);

int gate_desk_open(gate_reply_fn reply, gate_send_fn report, void *data,
		   struct gate_desk **ret_desk, struct err *err);
void gate_desk_close(struct gate_desk *desk);

/* Takes the policy from now on, and owns it. retell: the kernel's sets may have lost what they were told. */
void gate_desk_set_policy(struct gate_desk *desk, struct gate_policy *policy, bool retell);
/* The same, if the document is that of the policy that it has, which then need not be read and compared. Returns that
 * policy, borrowed, or NULL. */
const struct gate_policy *gate_desk_keep_policy(struct gate_desk *desk, const struct src *document,
						bool retell);
/* Everything is told again, as by the policy that it has. */
void gate_desk_retell(struct gate_desk *desk);
/* A message of a client. False: it is none that deserves an answer. The answer may come before this returns. */
bool gate_desk_ask(struct gate_desk *desk, const struct gate_client *client, const uint8_t *message,
		   size_t len, uint64_t now_ms);
/* The network of an interface; NULL: there is none. */
struct gate_net *gate_desk_net(struct gate_desk *desk, unsigned ifindex, uint64_t now_ms);
struct gate_counts *gate_desk_counts(struct gate_desk *desk);
struct gate_report *gate_desk_report(struct gate_desk *desk);

/* For the event loop: descriptors to watch, how long to wait, and work that is due. */
int gate_desk_upstream_fd(const struct gate_desk *desk);
int gate_desk_tell_fd(const struct gate_desk *desk);
int gate_desk_wait_ms(const struct gate_desk *desk, uint64_t now_ms);
/* ready: one of the descriptors. */
void gate_desk_process(struct gate_desk *desk, bool ready, uint64_t now_ms);
/* Does a part of the work that another policy made. Whether there is more. */
bool gate_desk_work(struct gate_desk *desk);
/* Whether nothing of that is left, also not what is to be done once more later. */
bool gate_desk_is_settled(const struct gate_desk *desk);
/* Whether it could not take everything back. */
bool gate_desk_has_missed(const struct gate_desk *desk);
/* Once a second. */
void gate_desk_tick(struct gate_desk *desk, bool anyway);
/* Questions that wait for an answer. */
size_t gate_desk_n_waiting(const struct gate_desk *desk);

#endif
