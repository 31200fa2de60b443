/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's questions, which can wait: each is put to the DNS client (dns_upstream.h) when a server has room for it, in
 * the order in which they came.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_QUEUE_H
#define DOCKSIDE_SYSTEM_DNS_QUEUE_H

#include "dns_conf.h"
#include "dockside/system/dns_upstream.h"

struct buf;
struct dns_queue;

/* timeout_ms: within which a question that is put gets an answer or fails. Returns 0 or -errno. */
int dns_queue_open(const struct dns_conf *conf, unsigned timeout_ms, struct dns_queue **ret_queue,
		   struct err *err);
/* Questions that wait or are open get no answer any more. */
void dns_queue_close(struct dns_queue *queue);
/* Other servers from now on; questions that wait or are open get no answer any more. Not to be called from
 * dns_upstream_fn. */
void dns_queue_configure(struct dns_queue *queue, const struct dns_conf *conf);

/* until_ms: of monotonic_ms(), when it fails at the latest. Never calls fn before it returns. */
void dns_queue_ask(struct dns_queue *queue, const struct dns_name *name, enum dns_type type,
		   uint64_t until_ms, dns_upstream_fn fn, void *data);

/* A descriptor that is readable when dns_queue_process() has something to do, and how long to wait for
 * that at most, in milliseconds; -1: for ever. */
int dns_queue_fd(const struct dns_queue *queue);
int dns_queue_wait_ms(const struct dns_queue *queue);
void dns_queue_process(struct dns_queue *queue);

/* dns_queue_room() counts the questions that would be put at once. If there is no room,
 * dns_queue_room_ms() returns after how many milliseconds there might be, unless an answer makes
 * some before; -1: only an answer can. */
unsigned dns_queue_room(const struct dns_queue *queue);
int dns_queue_room_ms(const struct dns_queue *queue);
/* Whether questions that can wait should: see dns_pace.h. */
bool dns_queue_scarce(const struct dns_queue *queue);
/* The servers that are spared, and why, or an empty text. */
void dns_queue_trouble(const struct dns_queue *queue, struct buf *ret_text);

#endif
