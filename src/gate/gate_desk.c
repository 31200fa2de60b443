/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Questions for the same name and type that wait for name servers are one pending question, whoever asks: its answer
 * goes into the cache, and then to each client as the policy of this moment says. So a forger has one question to hit,
 * and a thousand containers that start at once are one question.
 *
 * A name that only a pattern allows is a way to talk to the pattern's name servers. New ones are rationed for each
 * network; what the cache has, or had, is not new.
 */
#include "gate_desk.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/names/gate.h"
#include "dockside/system/clock.h"
#include "gate_cache.h"
#include "gate_message.h"
#include "gate_never.h"
#include "gate_opener.h"
#include "gate_records.h"
#include "gate_result.h"

#define UPSTREAM_MS 4200u  /* a stub resolver asks again after 5 s */
#define WAITERS_MAX 16384u /* clients that wait */

#define TYPE_ANY 255u
#define TYPE_META_FIRST 128u /* to TYPE_ANY: those that no record has, RFC 6895 */
#define TYPE_OPT 41u

#define WHY_NOT_ALLOWED "not in the policy"
#define WHY_AUDIT "not in the policy, and answered, as the network is in audit mode"
#define WHY_LIMITED "too many new names that only a pattern allows"
#define WHY_NEVER "all its addresses are such as no name opens"

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	struct gate_net *net;
	struct gate_client client;
	struct gate_query query;
};

/* A question that name servers were asked. */
struct pending {
	struct gate_node node;
	struct gate_desk *desk;
	struct dns_name name;
	unsigned type;
	TAILQ_HEAD(waiter_list, waiter) waiters;
};

struct gate_desk {
	gate_reply_fn reply;
	void *data;
	struct gate_counts counts;
	struct gate_report *report;
	struct gate_policy *policy; /* NULL: none yet */
	struct gate_nets *nets;
	struct gate_opener *opener;
	struct gate_cache cache;
	struct dns_upstream *upstream;
	struct gate_map pending;
	size_t n_waiters;
	uint64_t now_ms;
	uint8_t out[GATE_TCP_MAX];
};

/* One question of one client, on its way. */
struct job {
	struct gate_net *net;
	const struct gate_client *client;
	const struct gate_query *query;
	const struct dns_name *name;
	struct gate_match match;
};

/* ------------------------------------------------------------------ replies */

static size_t max_of(const struct job *job)
{
	return job->client->tcp ? GATE_TCP_MAX : job->query->udp_size;
}

static void reply_empty(struct gate_desk *desk, const struct gate_client *client,
			const struct gate_query *query, enum gate_rcode rcode, enum gate_ede ede)
{
	size_t len = gate_reply_empty(query, rcode, ede, desk->out);

	desk->reply(desk->data, client, desk->out, len);
}

static void reply(struct gate_desk *desk, const struct job *job, enum gate_rcode rcode,
		  enum gate_ede ede)
{
	desk->counts.failures += rcode == GATE_SERVFAIL;
	reply_empty(desk, job->client, job->query, rcode, ede);
}

static uint32_t ttl_of(const struct gate_desk *desk, const struct gate_entry *entry)
{
	uint64_t left_ms = entry->expires_ms > desk->now_ms ? entry->expires_ms - desk->now_ms : 0;
	uint64_t left_s = (left_ms + 999) / 1000;

	return left_s < GATE_MAX_TTL_S ? (uint32_t)left_s : GATE_MAX_TTL_S;
}

/* ------------------------------------------------------------------ addresses */

/* As many as go into the reply, beginning with another one each time. Returns the number of those that names never
 * open. told: the kernel has taken them all, so there is none such. */
static size_t pick_addrs(const struct job *job, struct gate_entry *entry, bool told,
			 struct gate_opening *opening)
{
	enum family family = entry->type == DNS_TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;
	size_t room = gate_reply_room(job->query, family, max_of(job)), n_never = 0;
	size_t first = entry->n_addrs > 0 ? entry->rotation++ % entry->n_addrs : 0;

	opening->n = 0;
	for (size_t i = 0; i < entry->n_addrs && opening->n < room; i++) {
		struct ipaddr addr = gate_entry_addr(entry, (first + i) % entry->n_addrs);

		if (!told && gate_never_reason(job->net->policy, &addr))
			n_never++;
		else
			opening->addrs[opening->n++] = addr;
	}
	return n_never;
}

static void reply_addrs(struct gate_desk *desk, const struct job *job,
			const struct gate_entry *entry, const struct gate_opening *opening)
{
	uint32_t ttl_s = ttl_of(desk, entry);
	struct gate_reply reply;
	size_t len;

	gate_reply_begin(&reply, job->query, desk->out, max_of(job));
	for (size_t i = 0; i < opening->n; i++)
		if (opening->is_open[i])
			gate_reply_add(&reply, entry->type, ttl_s, opening->addrs[i].b,
				       family_bytes(opening->addrs[i].family));
	len = gate_reply_end(&reply, GATE_NOERROR, GATE_EDE_NONE, false);
	desk->reply(desk->data, job->client, desk->out, len);
}

static void answer_addrs(struct gate_desk *desk, const struct job *job, struct gate_entry *entry)
{
	struct gate_opening opening = { .net = job->net,
					.ifindex = job->client->ifindex,
					.name = job->name,
					.match = &job->match };
	bool told = gate_opener_has_told(desk->opener, job->net, &entry->told, desk->now_ms);
	size_t n_never = pick_addrs(job, entry, told, &opening);

	if (n_never == 0 && opening.n == entry->n_addrs)
		opening.all = &entry->told;
	if (told && opening.n > 0) {
		memset(opening.is_open, true, sizeof(opening.is_open));
		reply_addrs(desk, job, entry, &opening);
	} else if (opening.n == 0) {
		if (n_never > 0)
			gate_report_alarm(desk->report, job->net, job->name, WHY_NEVER);
		reply(desk, job, GATE_NOERROR, n_never > 0 ? GATE_EDE_PROHIBITED : GATE_EDE_NONE);
	} else if (gate_opener_tell(desk->opener, desk->policy, &opening, desk->now_ms) == 0) {
		reply(desk, job, GATE_SERVFAIL, GATE_EDE_OTHER);
	} else {
		/* The daemon is to know the addresses of a name that opens nothing as well: audit mode learns by them. */
		if (job->match.n == 0)
			gate_report_told(desk->report, job->net, job->name, opening.addrs,
					 opening.n);
		reply_addrs(desk, job, entry, &opening);
	}
}

/* ------------------------------------------------------------------ answers */

static void answer_records(struct gate_desk *desk, const struct job *job,
			   const struct gate_entry *entry)
{
	uint32_t ttl_s = ttl_of(desk, entry);
	bool truncated = false;
	struct gate_reply out;
	size_t len;

	gate_reply_begin(&out, job->query, desk->out, max_of(job));
	for (size_t at = 0; at + 2 <= entry->len; at += 2 + len) {
		len = (size_t)entry->data[at] << 8 | entry->data[at + 1];
		truncated |= !gate_reply_add(&out, entry->type, ttl_s, entry->data + at + 2, len);
	}
	len = gate_reply_end(&out, GATE_NOERROR, GATE_EDE_NONE, truncated);
	desk->reply(desk->data, job->client, desk->out, len);
}

static void answer(struct gate_desk *desk, const struct job *job, struct gate_entry *entry)
{
	switch ((enum gate_outcome)entry->outcome) {
	case GATE_ADDRESSES:
		answer_addrs(desk, job, entry);
		return;
	case GATE_RECORDS:
		answer_records(desk, job, entry);
		return;
	case GATE_NO_DATA:
		reply(desk, job, GATE_NOERROR, GATE_EDE_NONE);
		return;
	case GATE_NO_NAME:
		reply(desk, job, GATE_NXDOMAIN, GATE_EDE_NONE);
		return;
	case GATE_FAILED:
		reply(desk, job, GATE_SERVFAIL, GATE_EDE_NO_REACHABLE);
		return;
	}
	abort();
}

/* ------------------------------------------------------------------ the policy's word */

/* Browsers that have this name go on to a DNS of their own. */
static bool is_canary(const struct dns_name *name)
{
	static const uint8_t canary[] = "\x13use-application-dns\x03net";

	return name->len == sizeof(canary) && memcmp(name->b, canary, sizeof(canary)) == 0;
}

static bool is_meta(unsigned type)
{
	return type == 0 || type == TYPE_OPT || (type >= TYPE_META_FIRST && type <= TYPE_ANY);
}

static bool is_served(const struct gate_network *network, unsigned type)
{
	if (type == DNS_TYPE_A)
		return true;
	if (type == DNS_TYPE_AAAA)
		return network->ipv6;
	return gate_type_bit_of(type) & network->types;
}

static void refuse(struct gate_desk *desk, const struct job *job)
{
	desk->counts.refused++;
	job->net->refused++;
	gate_report_refusal(desk->report, job->net, &job->client->addr, job->name, job->query->type,
			    WHY_NOT_ALLOWED);
	reply(desk, job, GATE_NXDOMAIN, GATE_EDE_PROHIBITED);
}

/* Whether the answer is to be looked for; if not, it has been given. */
static bool admit(struct gate_desk *desk, struct job *job)
{
	const struct gate_network *network = job->net->policy;

	gate_table_match(desk->policy, network, job->name, &job->match);
	if ((!job->match.allowed && !network->audit) || is_canary(job->name)) {
		refuse(desk, job);
		return false;
	}
	if (!job->match.allowed)
		gate_report_refusal(desk->report, job->net, &job->client->addr, job->name,
				    job->query->type, WHY_AUDIT);
	if (is_meta(job->query->type)) {
		reply(desk, job, GATE_REFUSED, GATE_EDE_PROHIBITED);
		return false;
	}
	if (!is_served(network, job->query->type)) {
		reply(desk, job, GATE_NOERROR, GATE_EDE_NONE);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------ name servers */

static uint64_t hash_pending(const struct gate_desk *desk, const struct dns_name *name,
			     unsigned type)
{
	return gate_map_hash(&desk->pending, name->b, name->len) + type;
}

static struct pending *find_pending(const struct gate_desk *desk, const struct dns_name *name,
				    unsigned type)
{
	struct gate_node *node = gate_map_first(&desk->pending, hash_pending(desk, name, type));

	for (; node; node = gate_map_next(node)) {
		struct pending *pending = (struct pending *)node;

		if (pending->type == type && dns_name_equal(&pending->name, name))
			return pending;
	}
	return NULL;
}

/* The policy may be another one by now. */
static void answer_waiter(struct gate_desk *desk, const struct pending *pending,
			  const struct waiter *waiter, struct gate_entry *entry)
{
	struct job job = { .net = waiter->net,
			   .client = &waiter->client,
			   .query = &waiter->query,
			   .name = &pending->name };

	if (job.net->policy && admit(desk, &job))
		answer(desk, &job, entry);
}

static void on_result(void *data, const struct dns_upstream_result *result)
{
	struct pending *pending = data;
	struct gate_desk *desk = pending->desk;
	const struct gate_asked asked = { &pending->name, pending->type, desk->now_ms };
	struct gate_entry *entry = gate_result_keep(&desk->cache, &asked, result);
	struct waiter *waiter;

	gate_map_remove(&desk->pending, &pending->node);
	while ((waiter = TAILQ_FIRST(&pending->waiters))) {
		TAILQ_REMOVE(&pending->waiters, waiter, entry);
		desk->n_waiters--;
		waiter->net->n_pending--;
		answer_waiter(desk, pending, waiter, entry);
		free(waiter);
	}
	free(pending);
}

static void add_waiter(struct gate_desk *desk, struct pending *pending, const struct job *job)
{
	struct waiter *waiter = xmalloc(sizeof(*waiter));

	waiter->net = job->net;
	waiter->client = *job->client;
	waiter->query = *job->query;
	TAILQ_INSERT_TAIL(&pending->waiters, waiter, entry);
	desk->n_waiters++;
	job->net->n_pending++;
}

static bool ask_upstream(struct gate_desk *desk, const struct job *job)
{
	struct pending *pending = find_pending(desk, job->name, job->query->type);

	if (pending) {
		add_waiter(desk, pending, job);
		return true;
	}
	pending = xcalloc(1, sizeof(*pending));
	pending->desk = desk;
	pending->name = *job->name;
	pending->type = job->query->type;
	TAILQ_INIT(&pending->waiters);
	if (dns_upstream_ask(desk->upstream, job->name, job->query->type, 0, on_result, pending) <
	    0) {
		free(pending);
		return false;
	}
	gate_map_add(&desk->pending, &pending->node,
		     hash_pending(desk, job->name, job->query->type));
	add_waiter(desk, pending, job);
	return true;
}

/* ------------------------------------------------------------------ a question */

/* A name that was asked before costs nobody anything; nor does its other family, which is asked with it. */
static bool is_new(struct gate_desk *desk, const struct job *job, const struct gate_entry *entry)
{
	static const unsigned types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };

	if (job->match.exact || entry)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (gate_cache_find(&desk->cache, job->name, types[i]) ||
		    find_pending(desk, job->name, types[i]))
			return false;
	return true;
}

static void look_for(struct gate_desk *desk, const struct job *job)
{
	struct gate_entry *entry = gate_cache_find(&desk->cache, job->name, job->query->type);

	if (entry && desk->now_ms < entry->expires_ms) {
		desk->counts.hits++;
		answer(desk, job, entry);
		return;
	}
	if (is_new(desk, job, entry) && !gate_net_take_name(job->net, desk->now_ms)) {
		desk->counts.limited++;
		gate_report_refusal(desk->report, job->net, &job->client->addr, job->name,
				    job->query->type, WHY_LIMITED);
		reply(desk, job, GATE_SERVFAIL, GATE_EDE_OTHER);
		return;
	}
	desk->counts.misses++;
	if (job->net->n_pending >= GATE_NET_PENDING_MAX || desk->n_waiters >= WAITERS_MAX ||
	    !ask_upstream(desk, job))
		reply(desk, job, GATE_SERVFAIL, GATE_EDE_NO_REACHABLE);
}

bool gate_desk_ask(struct gate_desk *desk, const struct gate_client *client, const uint8_t *message,
		   size_t len, uint64_t now_ms)
{
	enum gate_rcode rcode = GATE_NOERROR;
	struct gate_query query;
	struct dns_name name = { .len = 0 };
	struct job job = { .client = client, .query = &query, .name = &name };
	enum gate_parsed parsed = gate_query_parse(message, len, &query, &name, &rcode);

	desk->now_ms = now_ms;
	if (desk->policy && (job.net = gate_nets_find(desk->nets, client->ifindex, now_ms)))
		job.net->received++; /* whatever it is: the kernel has counted it, too */
	if (parsed == GATE_PARSED_DROP)
		return false;
	desk->counts.queries++;
	if (!desk->policy) {
		reply(desk, &job, GATE_SERVFAIL, GATE_EDE_NOT_READY);
		return true;
	}
	if (!job.net)
		return false;
	if (parsed == GATE_PARSED_ERROR)
		reply(desk, &job, rcode, GATE_EDE_NONE);
	else if (admit(desk, &job))
		look_for(desk, &job);
	return true;
}

/* ------------------------------------------------------------------ policy */

void gate_desk_set_policy(struct gate_desk *desk, struct gate_policy *policy, bool retell)
{
	struct gate_policy *old = desk->policy;

	desk->now_ms = monotonic_ms();
	gate_opener_follow(desk->opener, desk->nets, old, policy, retell, desk->now_ms);
	desk->policy = policy;
	dns_upstream_configure(desk->upstream, &policy->upstream);
	gate_policy_free(old);
}

static void follow_again(struct gate_desk *desk, bool retell)
{
	desk->now_ms = monotonic_ms();
	gate_opener_again(desk->opener, desk->nets, desk->policy, retell, desk->now_ms);
}

void gate_desk_retell(struct gate_desk *desk)
{
	if (desk->policy)
		follow_again(desk, true);
}

const struct gate_policy *gate_desk_keep_policy(struct gate_desk *desk, const struct src *document,
						bool retell)
{
	const struct gate_policy *policy = desk->policy;

	if (!policy || policy->document_len != document->len ||
	    memcmp(policy->document, document->text, document->len) != 0)
		return NULL;
	if (retell || gate_opener_has_missed(desk->opener))
		follow_again(desk, retell);
	return policy;
}

struct gate_net *gate_desk_net(struct gate_desk *desk, unsigned ifindex, uint64_t now_ms)
{
	return gate_nets_find(desk->nets, ifindex, now_ms);
}

struct gate_counts *gate_desk_counts(struct gate_desk *desk)
{
	return &desk->counts;
}

struct gate_report *gate_desk_report(struct gate_desk *desk)
{
	return desk->report;
}

/* ------------------------------------------------------------------ for the event loop */

int gate_desk_upstream_fd(const struct gate_desk *desk)
{
	return dns_upstream_fd(desk->upstream);
}

int gate_desk_tell_fd(const struct gate_desk *desk)
{
	return gate_opener_fd(desk->opener);
}

int gate_desk_wait_ms(const struct gate_desk *desk, uint64_t now_ms)
{
	int upstream_ms = dns_upstream_wait_ms(desk->upstream, now_ms);
	int opener_ms = gate_opener_wait_ms(desk->opener, now_ms);

	if (upstream_ms < 0 || (opener_ms >= 0 && opener_ms < upstream_ms))
		return opener_ms;
	return upstream_ms;
}

void gate_desk_process(struct gate_desk *desk, bool ready, uint64_t now_ms)
{
	desk->now_ms = now_ms;
	if (!ready && gate_desk_wait_ms(desk, now_ms) != 0)
		return;
	dns_upstream_process(desk->upstream);
	gate_opener_hear(desk->opener);
}

bool gate_desk_work(struct gate_desk *desk)
{
	return desk->policy && gate_opener_work(desk->opener, desk->nets, desk->policy);
}

bool gate_desk_is_settled(const struct gate_desk *desk)
{
	return gate_opener_is_settled(desk->opener);
}

bool gate_desk_has_missed(const struct gate_desk *desk)
{
	return gate_opener_has_missed(desk->opener);
}

void gate_desk_tick(struct gate_desk *desk, bool anyway)
{
	gate_opener_tick(desk->opener, desk->nets, desk->policy, desk->now_ms);
	gate_report_tick(desk->report, &desk->counts, desk->cache.map.n, gate_nets_list(desk->nets),
			 desk->upstream, anyway);
}

size_t gate_desk_n_waiting(const struct gate_desk *desk)
{
	return desk->n_waiters;
}

/* ------------------------------------------------------------------ open and close */

int gate_desk_open(gate_reply_fn reply_fn, gate_send_fn report, void *data,
		   struct gate_desk **ret_desk, struct err *err)
{
	struct gate_desk *desk = xcalloc(1, sizeof(*desk));
	int r;

	desk->reply = reply_fn;
	desk->data = data;
	desk->report = gate_report_new(report, data);
	gate_cache_init(&desk->cache);
	gate_map_init(&desk->pending);
	r = gate_nets_open(&desk->nets, err);
	if (r >= 0)
		r = gate_opener_open(&desk->counts, desk->report, &desk->opener, err);
	if (r >= 0)
		r = dns_upstream_open(false, UPSTREAM_MS, &desk->upstream, err);
	if (r < 0) {
		gate_desk_close(desk);
		return r;
	}
	*ret_desk = desk;
	return 0;
}

static void free_pending(struct gate_desk *desk)
{
	struct gate_walk walk = { 0 };
	struct gate_node *node;

	while ((node = gate_map_walk(&desk->pending, &walk))) {
		struct pending *pending = (struct pending *)node;
		struct waiter *waiter;

		while ((waiter = TAILQ_FIRST(&pending->waiters))) {
			TAILQ_REMOVE(&pending->waiters, waiter, entry);
			free(waiter);
		}
		gate_map_remove(&desk->pending, node);
		free(pending);
	}
	gate_map_free(&desk->pending);
}

void gate_desk_close(struct gate_desk *desk)
{
	if (!desk)
		return;
	dns_upstream_close(desk->upstream);
	free_pending(desk);
	gate_opener_close(desk->opener);
	gate_nets_close(desk->nets);
	gate_cache_free(&desk->cache);
	gate_report_free(desk->report);
	gate_policy_free(desk->policy);
	free(desk);
}
