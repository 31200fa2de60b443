/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_attempt.h"

#include <errno.h>
#include <string.h>

#define TCP_MAX 64u	 /* at one server, if its pace does not limit them */
#define EDNS_LOST_MAX 3u /* answers that came only without EDNS: no accident any more */

void dns_attempt_init(struct dns_attempt *a, struct dns_server *server, void *owner)
{
	*a = (struct dns_attempt){ .owner = owner, .server = server };
	a->try.owner = a;
	a->try.server = server;
	dns_tcp_init(&a->tcp);
}

bool dns_attempt_is_open(const struct dns_attempt *a)
{
	return a->try.socket || dns_tcp_is_open(&a->tcp);
}

static void close_tcp(struct dns_attempt *a)
{
	if (dns_tcp_is_open(&a->tcp))
		a->server->n_tcp--;
	dns_tcp_close(&a->tcp);
}

void dns_attempt_close(struct dns_attempt *a)
{
	dns_try_close(&a->try);
	close_tcp(a);
	if (a->under_way)
		dns_pace_done(&a->server->pace);
	a->under_way = a->for_case = false;
}

/* ------------------------------------------------------------------ questions */

static int put_new(struct dns_attempt *a, const struct dns_asked *asked, struct dns_random *random,
		   uint64_t now_ms)
{
	int r;

	dns_server_write(a->server, random, &asked->name, asked->type, &a->try);
	r = dns_server_send(a->server, random, &a->try, now_ms);
	if (r == 0)
		a->asked_ms = now_ms;
	return r;
}

static int put_first(struct dns_attempt *a, const struct dns_asked *asked,
		     struct dns_random *random, uint64_t now_ms)
{
	struct dns_server *server = a->server;
	int r;

	if (server->paced && dns_server_room(server, now_ms) == 0)
		return -EBUSY;
	r = put_new(a, asked, random, now_ms);
	if (r == 0 && server->paced) {
		dns_pace_asked(&server->pace, now_ms);
		a->under_way = true;
	}
	return r;
}

static int repeat(struct dns_attempt *a, uint64_t now_ms)
{
	int r;

	if (a->server->paced)
		dns_pace_repeated(&a->server->pace, now_ms);
	r = dns_try_repeat(&a->try);
	if (r == 0)
		a->asked_ms = now_ms;
	return r;
}

int dns_attempt_put(struct dns_attempt *a, const struct dns_asked *asked, struct dns_random *random,
		    uint64_t now_ms)
{
	if (dns_tcp_is_open(&a->tcp))
		return a->for_case && a->server->no_case
			       ? dns_attempt_renew(a, asked, random, now_ms)
			       : 0;
	return a->try.socket ? repeat(a, now_ms) : put_first(a, asked, random, now_ms);
}

int dns_attempt_renew(struct dns_attempt *a, const struct dns_asked *asked,
		      struct dns_random *random, uint64_t now_ms)
{
	dns_try_close(&a->try);
	close_tcp(a);
	a->for_case = false;
	if (a->server->paced)
		dns_pace_repeated(&a->server->pace, now_ms);
	return put_new(a, asked, random, now_ms);
}

int dns_attempt_use_tcp(struct dns_attempt *a)
{
	int r;

	dns_try_close(&a->try);
	if (!a->server->paced && a->server->n_tcp >= TCP_MAX)
		return -EBUSY;
	r = dns_tcp_open(&a->tcp, &a->try, a);
	if (r == 0)
		a->server->n_tcp++;
	return r;
}

/* ------------------------------------------------------------------ answers */

bool dns_attempt_is_almost(const struct dns_attempt *a, const uint8_t *message, size_t len)
{
	const struct dns_try *try = &a->try;
	struct dns_reader r = { message, len, DNS_HEADER_SIZE };
	struct dns_reader q = { try->query, try->len, DNS_HEADER_SIZE };
	struct dns_name name, wanted;

	return len >= try->len && (message[2] & 0x80) && memcmp(message, try->query, 2) == 0 &&
	       dns_read_name(&r, &name) && dns_read_name(&q, &wanted) && r.at == q.at &&
	       dns_name_equal(&name, &wanted) && memcmp(message + r.at, try->query + q.at, 4) == 0;
}

bool dns_attempt_give_up_case(struct dns_attempt *a)
{
	if (!a->for_case || !a->server->paced)
		return false;
	a->server->no_case = true;
	return true;
}

/* A server that takes EDNS answers with a record of it, which is an additional one. */
void dns_attempt_learn_edns(const struct dns_attempt *a, const uint8_t *message)
{
	struct dns_server *server = a->server;

	if (dns_try_has_edns(&a->try) || message[10] || message[11])
		server->edns_lost = 0;
	else if (++server->edns_lost >= EDNS_LOST_MAX)
		server->no_edns = true;
}
