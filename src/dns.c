/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Two c-ares channels: one that reads /etc/hosts alone, asked first and done
 * at once, so that we know which names are static; and one that asks DNS alone, for one family of a
 * name at a time: a server that never answers for IPv6 shall not spoil what it says about IPv4.
 *
 * resolv.conf's search domains make several names of one, and addresses of two different names must
 * not mix. c-ares would go on to the next for a family that the first lacks; therefore the walk is
 * ours: it leaves a name only when that has neither family, which takes a question for the other.
 *
 * All is asked "at once", but a resolver is not flooded: of the questions that wait for an answer,
 * at most AT_ONCE may be younger than PATIENCE_MS. Slow ones thus hold up the others for that long
 * and no longer.
 *
 * The sockets of c-ares are in an epoll set of ours, so that an event loop has one descriptor to
 * watch. resolv.conf is read again when it has changed.
 */
#include "dockside/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/clock.h"
#include "dockside/util.h"

#define AT_ONCE 128
#define PATIENCE_MS 500
#define ADDRS_MAX 256 /* addresses that we take from one answer */
#define TRIES 2	      /* of each server; the second waits twice as long */
#define EVENTS_MAX 32
#define RESOLV_CONF "/etc/resolv.conf"

struct question {
	struct dns *dns;
	TAILQ_ENTRY(question) entry; /* among those asked, or those waiting */
	uint64_t asked_ms;
	enum family family;
	size_t candidate; /* which of the names that the search domains make of it */
	bool confirming;  /* asking for the other family, whether to go on to the next candidate */
	bool exists;	  /* some candidate does, without an address */
	int status;	  /* of the family's own question */
	char name[];
};

TAILQ_HEAD(question_list, question);

struct dns {
	ares_channel files; /* /etc/hosts */
	ares_channel channel;
	struct ares_options search; /* domains and ndots of resolv.conf */
	int epoll;
	unsigned timeout_ms;
	struct question_list asked, waiting; /* in the order of their coming */
	bool closing;
	bool asking_anew;	 /* the servers have changed: questions are put again */
	struct stat resolv_conf; /* as it was when the channels were opened */
	dns_answer_fn on_answer;
	void *data;
};

/* ---- answers ------------------------------------------------------------------------------ */

/* The addresses of one family; returns how many, with the smallest TTL of all records. */
static size_t take_addrs(const struct ares_addrinfo *info, enum family family,
			 struct ipaddr addrs[ADDRS_MAX], unsigned *ret_ttl_s)
{
	int ttl = INT32_MAX;
	size_t n = 0;

	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		if (n == ADDRS_MAX || !ipaddr_from_sockaddr(node->ai_addr, &addrs[n]) ||
		    addrs[n].family != family || ipaddr_is_unspecified(&addrs[n]))
			continue;
		n++;
		if (node->ai_ttl < ttl)
			ttl = node->ai_ttl;
	}
	for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next)
		if (cname->ttl < ttl)
			ttl = cname->ttl;
	*ret_ttl_s = ttl > 0 ? (unsigned)ttl : 0;
	return n;
}

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

/* Who answers with nothing but unspecified addresses blocks a name; what it has, that does not tell. */
#define NO_ADDRESS "no address"

/* ---- search domains ----------------------------------------------------------------------- */

static size_t count_candidates(const struct dns *dns)
{
	return 1 + (size_t)(dns->search.ndomains > 0 ? dns->search.ndomains : 0);
}

/* A name with enough dots in it is tried as it is before the domains, others after them. */
static char *candidate(const struct dns *dns, const struct question *q)
{
	size_t last = count_candidates(dns) - 1, at = q->candidate;
	int dots = 0;

	for (const char *p = q->name; *p; p++)
		dots += *p == '.';
	if (dots >= dns->search.ndots)
		at = at == 0 ? last : at - 1;
	if (at == last || strcmp(dns->search.domains[at], ".") == 0)
		return xstrdup(q->name);
	return xasprintf("%s.%s", q->name, dns->search.domains[at]);
}

static bool is_absent(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

/* Whether another question comes before the answer to this one. */
static bool go_on(const struct dns *dns, struct question *q, int status)
{
	if (q->confirming) {
		q->confirming = false;
		if (!is_absent(status))
			return false;
		q->candidate++;
		return true;
	}
	q->status = status;
	q->exists |= status == ARES_ENODATA;
	if (!is_absent(status))
		return false;
	q->confirming = q->candidate + 1 < count_candidates(dns);
	if (!q->confirming && q->exists)
		q->status = ARES_ENODATA;
	return q->confirming;
}

/* ---- questions and answers ---------------------------------------------------------------- */

static void answer_question(struct dns *dns, const struct question *q,
			    const struct ares_addrinfo *info)
{
	struct answer answer = { .name = q->name, .family = q->family, .state = HOST_DNS };
	struct ipaddr addrs[ADDRS_MAX];

	if (q->status == ARES_SUCCESS && info) {
		answer.addrs = addrs;
		answer.n_addrs = take_addrs(info, q->family, addrs, &answer.ttl_s);
		answer.error = answer.n_addrs == 0 ? NO_ADDRESS : NULL;
	} else if (q->status != ARES_ENODATA) {
		answer.error = ares_strerror(q->status);
	}
	if (answer.error)
		answer.state = HOST_FAILED;
	give(dns, &answer);
}

static void ask(ares_channel channel, const char *name, int family, ares_addrinfo_callback callback,
		void *arg)
{
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, /* the sort would connect to each address */
		.ai_family = family,
	};

	ares_getaddrinfo(channel, name, NULL, &hints, callback, arg);
}

static void put_question(struct dns *dns, struct question *q);

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = arg;
	struct dns *dns = q->dns;

	(void)timeouts;
	if (dns->asking_anew) {
		TAILQ_REMOVE(&dns->asked, q, entry);
		q->candidate = 0;
		q->confirming = q->exists = false;
		TAILQ_INSERT_TAIL(&dns->waiting, q, entry);
		return;
	}
	if (status == ARES_SUCCESS && info && !info->nodes)
		status = ARES_ENODATA; /* an alias of nothing */
	if (!dns->closing && go_on(dns, q, status)) {
		ares_freeaddrinfo(info);
		put_question(dns, q);
		return;
	}
	TAILQ_REMOVE(&dns->asked, q, entry);
	if (!dns->closing)
		answer_question(dns, q, info);
	ares_freeaddrinfo(info);
	free(q);
}

/* May answer, and free it, at once. */
static void put_question(struct dns *dns, struct question *q)
{
	bool v4 = (q->family == FAMILY_IPV4) != q->confirming;
	cleanup(cleanup_free) char *name = candidate(dns, q);

	ask(dns->channel, name, v4 ? AF_INET : AF_INET6, on_answer, q);
}

static bool is_young(const struct question *q, uint64_t now)
{
	return now < q->asked_ms + PATIENCE_MS;
}

static size_t count_young(const struct dns *dns, uint64_t now)
{
	const struct question *q;
	size_t n = 0;

	for (q = TAILQ_LAST(&dns->asked, question_list); q && is_young(q, now);
	     q = TAILQ_PREV(q, question_list, entry))
		n++;
	return n;
}

/* Asks as many more questions as the resolver may be burdened with. */
static void ask_more(struct dns *dns)
{
	uint64_t now = monotonic_ms();
	struct question *q;

	while ((q = TAILQ_FIRST(&dns->waiting)) && count_young(dns, now) < AT_ONCE) {
		TAILQ_REMOVE(&dns->waiting, q, entry);
		q->asked_ms = now;
		TAILQ_INSERT_TAIL(&dns->asked, q, entry);
		put_question(dns, q);
	}
}

static void answer_static(struct dns *dns, const char *name, const struct ares_addrinfo *info)
{
	struct answer answer = { .name = name, .state = HOST_STATIC };
	struct ipaddr addrs[N_FAMILIES][ADDRS_MAX];
	size_t n[N_FAMILIES];
	unsigned ttl_s;

	for (int family = 0; family < N_FAMILIES; family++)
		n[family] = take_addrs(info, (enum family)family, addrs[family], &ttl_s);
	if (n[FAMILY_IPV4] + n[FAMILY_IPV6] == 0) {
		answer.state = HOST_FAILED;
		answer.error = NO_ADDRESS;
	}
	for (int family = 0; family < N_FAMILIES; family++) {
		answer.family = (enum family)family;
		answer.addrs = addrs[family];
		answer.n_addrs = n[family];
		give(dns, &answer);
	}
}

struct static_answer {
	struct dns *dns;
	const char *name;
	bool found;
};

static void on_static(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct static_answer *a = arg;

	(void)timeouts;
	a->found = status == ARES_SUCCESS && info;
	if (a->found)
		answer_static(a->dns, a->name, info);
	ares_freeaddrinfo(info);
}

/* A literal must not reach c-ares, which would ask DNS for it and mix in what it hears (1.18.1,
 * AF_UNSPEC). The policy has none among its names; this is for other callers. */
static bool answer_literal(struct dns *dns, const char *name)
{
	struct answer answer = { .name = name, .state = HOST_STATIC, .n_addrs = 1 };
	struct ipaddr addr = { 0 };

	answer.addrs = &addr;
	if (inet_pton(AF_INET, name, addr.b) == 1)
		addr.family = FAMILY_IPV4;
	else if (inet_pton(AF_INET6, name, addr.b) == 1)
		addr.family = FAMILY_IPV6;
	else
		return false;
	give_both(dns, answer); /* who takes it knows the family of an address */
	return true;
}

/* ---- the channels ------------------------------------------------------------------------- */

static int channel_error(struct err *err, int status)
{
	return err_set(err, status == ARES_ENOMEM ? ENOMEM : EIO, "start the resolver: %s",
		       ares_strerror(status));
}

static unsigned count_servers(ares_channel channel)
{
	struct ares_addr_port_node *servers = NULL;
	unsigned n = 0;

	if (ares_get_servers_ports(channel, &servers) == ARES_SUCCESS)
		for (const struct ares_addr_port_node *s = servers; s; s = s->next)
			n++;
	ares_free_data(servers);
	return n > 0 ? n : 1;
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct epoll_event event = { .data.fd = fd };
	struct dns *dns = arg;

	event.events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
	if (event.events == 0)
		epoll_ctl(dns->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(dns->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		epoll_ctl(dns->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void close_channels(struct dns *dns)
{
	if (dns->channel)
		ares_destroy(dns->channel);
	if (dns->files)
		ares_destroy(dns->files);
	dns->channel = dns->files = NULL;
	ares_destroy_options(&dns->search);
	dns->search = (struct ares_options){ 0 };
}

static int open_channels(struct dns *dns, struct err *err)
{
	char files[] = "f", dns_only[] = "b";
	struct ares_options options = { .lookups = files };
	int saved, status = ares_init_options(&dns->files, &options, ARES_OPT_LOOKUPS);
	unsigned try_ms;

	if (status != ARES_SUCCESS)
		return channel_error(err, status);
	status = ares_save_options(dns->files, &dns->search, &saved);
	if (status != ARES_SUCCESS) {
		close_channels(dns);
		return channel_error(err, status);
	}
	/* Every server gets TRIES tries, of t and 2t, in 4/5 of the time that there is. */
	try_ms = dns->timeout_ms / 15 * 4 / count_servers(dns->files);
	options = (struct ares_options){
		.flags = ARES_FLAG_NOALIASES, /* $HOSTALIASES is not the policy */
		.lookups = dns_only,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = dns,
		.timeout = try_ms > 10 ? (int)try_ms : 10,
		.tries = TRIES,
		.ndots = 0, /* and no domains: a name is asked for as it is */
	};
	status = ares_init_options(&dns->channel, &options,
				   ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
					   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
					   ARES_OPT_DOMAINS);
	if (status != ARES_SUCCESS) {
		close_channels(dns);
		return channel_error(err, status);
	}
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Channels of the present resolv.conf, which open questions go to again; if they cannot be opened, the
 * old ones go on. */
static void follow_resolv_conf(struct dns *dns)
{
	ares_channel files = dns->files, channel = dns->channel;
	struct ares_options search = dns->search;
	struct stat st;

	if (stat(RESOLV_CONF, &st) < 0 || same_file(&st, &dns->resolv_conf))
		return;
	dns->resolv_conf = st;
	dns->files = dns->channel = NULL;
	dns->search = (struct ares_options){ 0 };
	if (open_channels(dns, NULL) < 0) {
		dns->files = files;
		dns->channel = channel;
		dns->search = search;
		return;
	}
	dns->asking_anew = true;
	ares_destroy(channel);
	dns->asking_anew = false;
	ares_destroy(files);
	ares_destroy_options(&search);
	ask_more(dns); /* nobody else may have a question for a while */
}

/* ---- for event loops ---------------------------------------------------------------------- */

int dns_open(unsigned timeout_ms, dns_answer_fn on_answer_fn, void *data, struct dns **ret_dns,
	     struct err *err)
{
	struct dns *dns;
	int r = ares_library_init(ARES_LIB_INIT_ALL);

	if (r != ARES_SUCCESS)
		return channel_error(err, r);
	dns = xcalloc(1, sizeof(*dns));
	TAILQ_INIT(&dns->asked);
	TAILQ_INIT(&dns->waiting);
	dns->timeout_ms = timeout_ms;
	dns->on_answer = on_answer_fn;
	dns->data = data;
	if (stat(RESOLV_CONF, &dns->resolv_conf) < 0)
		dns->resolv_conf = (struct stat){ 0 };
	dns->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = dns->epoll >= 0 ? open_channels(dns, err) : err_errno(err, errno, "epoll_create1");
	if (r < 0) {
		dns_close(dns);
		return r;
	}
	*ret_dns = dns;
	return 0;
}

void dns_close(struct dns *dns)
{
	struct question *q;

	if (!dns)
		return;
	dns->closing = true;
	close_channels(dns);
	while ((q = TAILQ_FIRST(&dns->waiting))) {
		TAILQ_REMOVE(&dns->waiting, q, entry);
		free(q);
	}
	if (dns->epoll >= 0)
		close(dns->epoll);
	free(dns);
	ares_library_cleanup();
}

void dns_ask(struct dns *dns, const char *name, enum family family)
{
	struct static_answer a = { .dns = dns, .name = name };
	struct question *q;
	size_t len = strlen(name) + 1;

	if (answer_literal(dns, name))
		return;
	/* c-ares takes "01.2.3.4" for an address; to the configuration it is a name, if a bad one. */
	if (!hostname_valid(name, strlen(name))) {
		give_both(dns, (struct answer){ .name = name,
						.state = HOST_FAILED,
						.error = "not a name that DNS could have" });
		return;
	}
	follow_resolv_conf(dns);
	ask(dns->files, name, AF_UNSPEC, on_static, &a);
	if (a.found)
		return;
	q = xcalloc(1, sizeof(*q) + len);
	q->dns = dns;
	q->family = family;
	memcpy(q->name, name, len);
	TAILQ_INSERT_TAIL(&dns->waiting, q, entry);
	ask_more(dns);
}

int dns_fd(const struct dns *dns)
{
	return dns->epoll;
}

bool dns_pending(const struct dns *dns)
{
	return !TAILQ_EMPTY(&dns->asked) || !TAILQ_EMPTY(&dns->waiting);
}

int dns_wait_ms(const struct dns *dns)
{
	struct timeval tv, *t = ares_timeout(dns->channel, NULL, &tv);
	uint64_t now = monotonic_ms(), wait = UINT64_MAX;

	if (TAILQ_EMPTY(&dns->asked))
		return -1;
	if (t)
		wait = (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1;
	if (!TAILQ_EMPTY(&dns->waiting)) {
		/* Until the oldest of the young ones is young no more. */
		const struct question *q = TAILQ_FIRST(&dns->asked);

		while (q && !is_young(q, now))
			q = TAILQ_NEXT(q, entry);
		if (!q)
			return 0;
		if (q->asked_ms + PATIENCE_MS - now < wait)
			wait = q->asked_ms + PATIENCE_MS - now;
	}
	return wait == UINT64_MAX ? -1 : (int)wait;
}

void dns_process(struct dns *dns)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(dns->epoll, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		bool readable = events[i].events & (uint32_t)(EPOLLIN | EPOLLERR | EPOLLHUP);
		bool writable = events[i].events & (uint32_t)EPOLLOUT;
		int fd = events[i].data.fd;

		ares_process_fd(dns->channel, readable ? fd : ARES_SOCKET_BAD,
				writable ? fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs */
	ask_more(dns);
}
