/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "dockside/base/err.h"
#include "dockside/base/heap.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

struct request {
	struct heap_node deadline;
	TAILQ_ENTRY(request) entry;
	struct dns_name name;
	enum dns_type type;
	dns_upstream_fn fn;
	void *data;
};

TAILQ_HEAD(request_list, request);

struct dns_queue {
	struct dns_upstream *upstream;
	struct request_list waiting;
	struct heap deadlines; /* of the same */
};

/* ------------------------------------------------------------------ those that wait */

static void take(struct dns_queue *queue, struct request *request)
{
	TAILQ_REMOVE(&queue->waiting, request, entry);
	heap_remove(&queue->deadlines, &request->deadline);
}

static void fail(struct request *request, enum dns_upstream_status status)
{
	request->fn(request->data, &(struct dns_upstream_result){ .status = status });
	free(request);
}

/* As many as there is room for. */
static void put_waiting(struct dns_queue *queue)
{
	uint64_t now_ms = monotonic_ms();
	struct request *request;

	while ((request = TAILQ_FIRST(&queue->waiting)) &&
	       dns_upstream_room(queue->upstream, now_ms) > 0) {
		take(queue, request);
		if (dns_upstream_ask(queue->upstream, &request->name, request->type,
				     request->deadline.key, request->fn, request->data) < 0)
			fail(request, DNS_UPSTREAM_UNREACHABLE);
		else
			free(request);
	}
}

/* No server had room for these before their time was up. */
static void fail_waiting(struct dns_queue *queue, uint64_t now_ms)
{
	struct request *request;

	while ((request = (struct request *)heap_first(&queue->deadlines)) &&
	       request->deadline.key <= now_ms) {
		take(queue, request);
		fail(request, DNS_UPSTREAM_NOT_ASKED);
	}
}

void dns_queue_ask(struct dns_queue *queue, const struct dns_name *name, enum dns_type type,
		   uint64_t until_ms, dns_upstream_fn fn, void *data)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->name = *name;
	request->type = type;
	request->fn = fn;
	request->data = data;
	TAILQ_INSERT_TAIL(&queue->waiting, request, entry);
	heap_put(&queue->deadlines, &request->deadline, until_ms);
}

/* ------------------------------------------------------------------ for event loops */

int dns_queue_fd(const struct dns_queue *queue)
{
	return dns_upstream_fd(queue->upstream);
}

static int ms_until(uint64_t at_ms, uint64_t now_ms)
{
	if (at_ms == UINT64_MAX)
		return -1;
	return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

int dns_queue_wait_ms(const struct dns_queue *queue)
{
	const struct heap_node *first = heap_first(&queue->deadlines);
	uint64_t now_ms = monotonic_ms(), at_ms;
	int open_ms = dns_upstream_wait_ms(queue->upstream, now_ms), wait_ms;

	if (!first)
		return open_ms;
	at_ms = dns_upstream_room_at(queue->upstream, now_ms);
	wait_ms = ms_until(first->key < at_ms ? first->key : at_ms, now_ms);
	return open_ms >= 0 && (wait_ms < 0 || open_ms < wait_ms) ? open_ms : wait_ms;
}

void dns_queue_process(struct dns_queue *queue)
{
	uint64_t now_ms = monotonic_ms();

	dns_upstream_process(queue->upstream);
	fail_waiting(queue, now_ms);
	put_waiting(queue);
}

unsigned dns_queue_room(const struct dns_queue *queue)
{
	unsigned n = dns_upstream_room(queue->upstream, monotonic_ms());

	return n > queue->deadlines.n ? n - (unsigned)queue->deadlines.n : 0;
}

int dns_queue_room_ms(const struct dns_queue *queue)
{
	uint64_t now_ms = monotonic_ms();

	return ms_until(dns_upstream_room_at(queue->upstream, now_ms), now_ms);
}

bool dns_queue_scarce(const struct dns_queue *queue)
{
	return dns_upstream_scarce(queue->upstream, monotonic_ms());
}

void dns_queue_trouble(const struct dns_queue *queue, struct buf *ret_text)
{
	dns_upstream_trouble(queue->upstream, ret_text);
}

/* ------------------------------------------------------------------ open and close */

static void free_waiting(struct dns_queue *queue)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&queue->waiting))) {
		take(queue, request);
		free(request);
	}
}

void dns_queue_configure(struct dns_queue *queue, const struct dns_conf *conf)
{
	struct dns_upstream_conf upstream = {
		.n_servers = conf->n_servers,
		.rounds = conf->attempts,
		.try_ms = 1000 * conf->timeout_s,
	};

	static_assert(DNS_SERVERS_MAX <= DNS_UPSTREAM_SERVERS_MAX, "all of them are asked");
	for (size_t i = 0; i < conf->n_servers; i++)
		upstream.servers[i] = conf->servers[i];
	free_waiting(queue);
	dns_upstream_forget(queue->upstream);
	dns_upstream_configure(queue->upstream, &upstream);
}

int dns_queue_open(const struct dns_conf *conf, unsigned timeout_ms, struct dns_queue **ret_queue,
		   struct err *err)
{
	struct dns_upstream *upstream = NULL;
	/* Others wait no longer than the whole of it, and the last tries want to be answered. */
	int r = dns_upstream_open(true, timeout_ms / 5 * 4, &upstream, err);
	struct dns_queue *queue;

	if (r < 0)
		return r;
	queue = xcalloc(1, sizeof(*queue));
	queue->upstream = upstream;
	TAILQ_INIT(&queue->waiting);
	dns_queue_configure(queue, conf);
	*ret_queue = queue;
	return 0;
}

void dns_queue_close(struct dns_queue *queue)
{
	if (!queue)
		return;
	free_waiting(queue);
	heap_free(&queue->deadlines);
	dns_upstream_close(queue->upstream);
	free(queue);
}
