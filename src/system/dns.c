/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. /etc/hosts is asked first, and what it has is static; then DNS is asked for one
 * family of a name at a time: a server that never answers for IPv6 shall not spoil what it says about IPv4.
 *
 * resolv.conf's search domains make several names of one, and addresses of two different names must
 * not mix. Therefore a name is left for the next only when it has neither family, which takes a question for
 * the other.
 *
 * All open questions are put again, to the new servers, when resolv.conf changes.
 */
#include "dockside/system/dns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "dns_files.h"
#include "dns_queue.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

/* A question may wait for room, and mean several names: for all of that it has this many times the
 * time-out. */
#define TIMEOUTS 4u
/* A server that blocks a name answers so; that says nothing about what addresses the name has. */
#define NO_ADDRESS "no address"

struct question {
	struct dns *dns;
	TAILQ_ENTRY(question) entry;
	uint64_t until_ms;
	enum family family;
	size_t candidate; /* which of the names that the search domains make of it */
	bool confirming;  /* asking for the other family, whether to go on to the next candidate */
	bool exists;	  /* some candidate does, without an address */
	uint32_t ttl_s;	  /* for how long it has none, 0: not known */
	const char *failure; /* of the family's own question; NULL: it has no address */
	char name[];
};

TAILQ_HEAD(question_list, question);

struct dns {
	struct dns_files files;
	struct dns_queue *queue;
	unsigned timeout_ms;
	struct question_list questions;
	dns_answer_fn on_answer;
	void *data;
};

/* ---- answers ------------------------------------------------------------------------------ */

static void give(struct dns *dns, const struct answer *answer)
{
	dns->on_answer(dns->data, answer);
}

static void give_both(struct dns *dns, struct answer answer)
{
	for (int family = 0; family < N_FAMILIES; family++) {
		answer.family = (enum family)family;
		give(dns, &answer);
	}
}

static void end_question(struct question *q, const struct answer *answer)
{
	struct dns *dns = q->dns;

	TAILQ_REMOVE(&dns->questions, q, entry);
	give(dns, answer);
	free(q);
}

static void end_failed(struct question *q, const char *error)
{
	end_question(q, &(struct answer){ .name = q->name,
					  .family = q->family,
					  .state = RESOLVED_FAILED,
					  .error = error });
}

static void end_empty(struct question *q)
{
	end_question(q, &(struct answer){ .name = q->name,
					  .family = q->family,
					  .state = RESOLVED_DNS,
					  .ttl_s = q->ttl_s });
}

/* Unspecified addresses are none. */
static void end_found(struct question *q, const struct dns_answer *found)
{
	struct ipaddr addrs[DNS_ADDRS_MAX];
	struct answer answer = { .name = q->name, .family = q->family, .state = RESOLVED_DNS };

	answer.addrs = addrs;
	answer.ttl_s = found->ttl_s;
	for (size_t i = 0; i < found->n_addrs; i++)
		if (!ipaddr_is_unspecified(&found->addrs[i]))
			addrs[answer.n_addrs++] = found->addrs[i];
	if (answer.n_addrs == 0)
		end_failed(q, NO_ADDRESS);
	else
		end_question(q, &answer);
}

/* ---- questions ---------------------------------------------------------------------------- */

static void put_question(struct question *q);

/* No candidate has an address; or one that may have is not to be left, for the sake of its other family. */
static void end_absent(struct question *q, bool all)
{
	if (!q->failure || (all && q->exists))
		end_empty(q);
	else
		end_failed(q, q->failure);
}

static void on_absent(struct question *q, const struct dns_answer *answer)
{
	q->failure = answer->verdict == DNS_NO_NAME ? "no such name" : NULL;
	q->exists |= answer->verdict == DNS_NO_DATA;
	q->ttl_s = answer->ttl_s;
	q->confirming = q->candidate + 1 < dns_conf_candidates(&q->dns->files.conf);
	if (q->confirming)
		put_question(q);
	else
		end_absent(q, true);
}

/* About the other family. */
static void on_confirmed(struct question *q, bool absent)
{
	q->confirming = false;
	if (!absent) {
		end_absent(q, false);
		return;
	}
	q->candidate++;
	put_question(q);
}

static void on_result(void *data, const struct dns_upstream_result *result)
{
	struct question *q = data;
	const struct dns_answer *answer = result->answer;
	bool absent = answer && answer->verdict != DNS_ADDRESSES;

	if (q->confirming)
		on_confirmed(q, absent);
	else if (absent)
		on_absent(q, answer);
	else if (answer)
		end_found(q, answer);
	else
		end_failed(q, dns_upstream_status_text(result->status));
}

static void put_question(struct question *q)
{
	struct dns *dns = q->dns;
	bool v4 = (q->family == FAMILY_IPV4) != q->confirming;
	cleanup(cleanup_free) char *text =
		dns_conf_candidate(&dns->files.conf, q->name, q->candidate);
	static const struct dns_answer too_long = { .verdict = DNS_NO_NAME };
	static const struct dns_upstream_result no_name = { .answer = &too_long };
	struct dns_name name;

	if (dns_name_parse(text, &name))
		dns_queue_ask(dns->queue, &name, dns_type_of(v4 ? FAMILY_IPV4 : FAMILY_IPV6),
			      q->until_ms, on_result, q);
	else
		on_result(q, &no_name);
}

static void answer_local(struct dns *dns, const char *name, const struct dns_hosts_entry *entries,
			 size_t n)
{
	struct answer answer = { .name = name, .state = RESOLVED_STATIC };
	struct ipaddr addrs[N_FAMILIES][DNS_ADDRS_MAX];
	size_t n_addrs[N_FAMILIES] = { 0 };

	for (size_t i = 0; i < n; i++) {
		enum family family = entries[i].addr.family;

		if (n_addrs[family] < DNS_ADDRS_MAX && !ipaddr_is_unspecified(&entries[i].addr))
			addrs[family][n_addrs[family]++] = entries[i].addr;
	}
	if (n_addrs[FAMILY_IPV4] + n_addrs[FAMILY_IPV6] == 0) {
		answer.state = RESOLVED_FAILED;
		answer.error = NO_ADDRESS;
	}
	for (int family = 0; family < N_FAMILIES; family++) {
		answer.family = (enum family)family;
		answer.addrs = addrs[family];
		answer.n_addrs = n_addrs[family];
		give(dns, &answer);
	}
}

/* The policy has none among its names; this is for other callers. */
static bool answer_literal(struct dns *dns, const char *name)
{
	struct answer answer = { .name = name, .state = RESOLVED_STATIC, .n_addrs = 1 };
	struct ipaddr addr;

	if (!ipaddr_parse(name, strlen(name), &addr))
		return false;
	answer.addrs = &addr;
	give_both(dns, answer); /* who takes it knows the family of an address */
	return true;
}

/* ---- the files ---------------------------------------------------------------------------- */

static void put_again(struct dns *dns)
{
	uint64_t until_ms = monotonic_ms() + TIMEOUTS * dns->timeout_ms;
	struct question *q = TAILQ_FIRST(&dns->questions), *next;

	for (; q; q = next) {
		next = TAILQ_NEXT(q, entry);
		q->candidate = 0;
		q->confirming = q->exists = false;
		q->until_ms = until_ms;
		put_question(q);
	}
}

bool dns_follow(struct dns *dns)
{
	unsigned changes = dns_files_follow(&dns->files);

	if (changes & DNS_CONF_CHANGED) {
		dns_queue_configure(dns->queue, &dns->files.conf);
		put_again(dns);
	}
	return changes & DNS_HOSTS_CHANGED;
}

size_t dns_servers(const struct dns *dns, struct ipaddr *ret_servers, size_t max)
{
	const struct dns_conf *conf = &dns->files.conf;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_servers && n < max; i++)
		if (!conf->servers[i].zone[0])
			ret_servers[n++] = conf->servers[i].addr;
	return n;
}

bool dns_is_local(const struct dns *dns, const char *name)
{
	const struct dns_hosts_entry *entries;

	return dns_hosts_find(&dns->files.hosts, name, &entries) > 0;
}

/* ---- for event loops ---------------------------------------------------------------------- */

int dns_open(unsigned timeout_ms, dns_answer_fn on_answer_fn, void *data, struct dns **ret_dns,
	     struct err *err)
{
	struct dns *dns = xcalloc(1, sizeof(*dns));
	int r;

	TAILQ_INIT(&dns->questions);
	dns->timeout_ms = timeout_ms;
	dns->on_answer = on_answer_fn;
	dns->data = data;
	dns_files_follow(&dns->files);
	if (dns->files.conf.n_servers == 0) /* it could not be read */
		dns_conf_parse("", 0, "", &dns->files.conf);
	r = dns_queue_open(&dns->files.conf, timeout_ms, &dns->queue, err);
	if (r < 0) {
		dns_close(dns);
		return err_prefix(err, "start the resolver");
	}
	*ret_dns = dns;
	return 0;
}

void dns_close(struct dns *dns)
{
	struct question *q;

	if (!dns)
		return;
	dns_queue_close(dns->queue);
	while ((q = TAILQ_FIRST(&dns->questions))) {
		TAILQ_REMOVE(&dns->questions, q, entry);
		free(q);
	}
	dns_files_free(&dns->files);
	free(dns);
}

void dns_ask(struct dns *dns, const char *name, enum family family)
{
	const struct dns_hosts_entry *entries;
	size_t len = strlen(name) + 1, n;
	struct question *q;

	if (answer_literal(dns, name))
		return;
	if (!hostname_valid(name, strlen(name))) {
		give_both(dns, (struct answer){ .name = name,
						.state = RESOLVED_FAILED,
						.error = "not a name that DNS could have" });
		return;
	}
	n = dns_hosts_find(&dns->files.hosts, name, &entries);
	if (n > 0) {
		answer_local(dns, name, entries, n);
		return;
	}
	q = xcalloc(1, sizeof(*q) + len);
	q->dns = dns;
	q->family = family;
	q->until_ms = monotonic_ms() + TIMEOUTS * dns->timeout_ms;
	memcpy(q->name, name, len);
	TAILQ_INSERT_TAIL(&dns->questions, q, entry);
	put_question(q);
}

int dns_fd(const struct dns *dns)
{
	return dns_queue_fd(dns->queue);
}

bool dns_pending(const struct dns *dns)
{
	return !TAILQ_EMPTY(&dns->questions);
}

int dns_wait_ms(const struct dns *dns)
{
	return dns_queue_wait_ms(dns->queue);
}

void dns_process(struct dns *dns)
{
	dns_queue_process(dns->queue);
}

unsigned dns_room(const struct dns *dns)
{
	return dns_queue_room(dns->queue);
}

int dns_room_ms(const struct dns *dns)
{
	return dns_queue_room_ms(dns->queue);
}

bool dns_scarce(const struct dns *dns)
{
	return dns_queue_scarce(dns->queue);
}

void dns_trouble(const struct dns *dns, struct buf *ret_text)
{
	dns_queue_trouble(dns->queue, ret_text);
}
