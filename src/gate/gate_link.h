/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The private socket to the daemon: policies come, reports go. */
#ifndef DOCKSIDE_GATE_GATE_LINK_H
#define DOCKSIDE_GATE_GATE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate_link;

/* A policy came. */
struct gate_given {
	char *text; /* the document, the receiver's; NULL: none */
	size_t len;
	const char *why; /* there is none; NULL: there is one */
	bool retell;	 /* see gate_desk.h */
	int64_t serial;	 /* the giver's number, which the answer repeats */
};
typedef void (*gate_policy_fn)(void *data, const struct gate_given *given);

/* path: borrowed. */
struct gate_link *gate_link_new(const char *path, int epoll, gate_policy_fn fn, void *data);
void gate_link_free(struct gate_link *link);
/* Connects if it is not connected. Whether it is new. */
bool gate_link_tick(struct gate_link *link);
bool gate_link_is_up(const struct gate_link *link);
/* False: the daemon is away, or takes no more now. */
bool gate_link_send(struct gate_link *link, const char *text, size_t len);

/* Reads a document out of a descriptor, which it does not close: a memfd that nobody can change any more. Returns 0 and
 * the text, which the caller owns; or -errno and why, which is borrowed for good. */
int gate_link_read_memfd(int fd, char **ret_text, size_t *ret_len, const char **ret_why);

#endif
