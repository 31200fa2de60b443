/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket of the DNS gate, from the side of who has the policy: the daemon, or `apply` where none runs. One message is
 * one packet: to the gate {"type":"policy","serial":1} with a sealed memfd, from the gate a JSON object.
 */
#ifndef DOCKSIDE_CTL_GATE_PEER_H
#define DOCKSIDE_CTL_GATE_PEER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "dockside/base/err.h"
#include "dockside/json/json_parse.h"
#include "dockside/table/plan.h"

#define GATE_PEER_DEFAULT_PATH "/run/dockside/gate.sock" /* the units have it */
#define GATE_PEER_MESSAGE_MAX (16u << 10)		 /* bytes */
#define GATE_PEER_WHY_MAX 1000				 /* bytes of why it refuses a policy */

/* Listens as ctl_listen_gate() does. */
int gate_peer_listen(const char *path, struct stat *ret_st, struct err *err);
/* Takes the file away if it is still ours. */
void gate_peer_unlink(const char *path, const struct stat *st);

/* Whether a process of that user may be the gate. */
bool gate_peer_may(const struct plan_options *options, uid_t uid);

/* Gives the gate a policy: a sealed memfd, which stays the caller's. serial: the giver's number for it, from 1 on. Returns 0
 * or -errno; -EAGAIN: not now. */
int gate_peer_give(int fd, int memfd, int64_t serial, bool retell);
/* Whether a message "taken" answers that, by the policy's generation and the serial. The same policy may be given twice, and
 * another one in between; an older gate repeats no serial. */
bool gate_peer_has_taken(const struct json_node *message, const char *generation, int64_t serial);

/* Reads a message, of which text has len bytes and room for one more. False: it is no object, or it has characters that
 * could turn around what people read. The caller calls json_tree_free() either way; it borrows the text. */
bool gate_peer_parse(char *text, size_t len, struct json_tree *ret_tree);
/* A text of a message that is no longer than max; or otherwise. */
const char *gate_peer_text(const struct json_node *message, const char *key, size_t max,
			   const char *otherwise);

#endif
