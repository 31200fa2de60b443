/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/dns_upstream.h"

#define TIMEOUT_MS 4000 /* somebody waits */

struct question {
	struct daemon_lookup *lookup;
	enum family family;
};

struct daemon_lookup {
	struct loop *loop;
	struct dns_upstream *upstream;
	sd_event_source *io, *timer;
	struct question questions[N_FAMILIES];
	struct resolved host; /* the one name */
};

const struct resolved_name *daemon_lookup_result(const struct daemon_lookup *k)
{
	return &k->host.items[0];
}

bool daemon_lookup_done(const struct daemon_lookup *k)
{
	for (int family = 0; family < N_FAMILIES; family++)
		if (k->host.items[0].states[family] == RESOLVED_UNASKED)
			return false;
	return true;
}

/* error: NULL, if there is an answer. */
static void take(struct daemon_lookup *k, enum family family, const struct ipaddr *addrs, size_t n,
		 const char *error)
{
	struct answer answer = { .name = k->host.items[0].name,
				 .family = family,
				 .state = error ? RESOLVED_FAILED : RESOLVED_DNS,
				 .addrs = addrs,
				 .n_addrs = n,
				 .error = error };

	resolved_answer(&k->host.items[0], &answer);
	if (daemon_lookup_done(k))
		loop_post(k->loop, NOTE_SETTLED);
}

static void on_result(void *data, const struct dns_upstream_result *result)
{
	const struct question *question = data;
	const struct dns_answer *answer = result->answer;

	if (!answer)
		take(question->lookup, question->family, NULL, 0,
		     dns_upstream_status_text(result->status));
	else
		take(question->lookup, question->family, answer->addrs, answer->n_addrs,
		     answer->verdict == DNS_NO_NAME ? "no such name" : NULL);
}

/* ---- for the loop ---- */

static int on_timer(sd_event_source *source, uint64_t usec, void *data);

static void arm(struct daemon_lookup *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);
	int wait_ms = dns_upstream_wait_ms(k->upstream, now_ms);

	loop_arm(k->loop, &k->timer, wait_ms < 0 ? UINT64_MAX : now_ms + (uint64_t)wait_ms,
		 on_timer, k);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_lookup *k = data;

	(void)source;
	(void)fd;
	(void)revents;
	dns_upstream_process(k->upstream);
	arm(k);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)usec;
	return on_io(source, -1, 0, data);
}

/* ---- open and close ---- */

static int begin(struct daemon_lookup *k, const struct ipaddr *servers, size_t n, struct err *err)
{
	struct dns_upstream_conf conf = { .n_servers = 0 };
	int r = dns_upstream_open(false, TIMEOUT_MS, &k->upstream, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && i < DNS_UPSTREAM_SERVERS_MAX; i++)
		conf.servers[conf.n_servers++].addr = servers[i];
	dns_upstream_configure(k->upstream, &conf);
	r = sd_event_add_io(loop_event(k->loop), &k->io, dns_upstream_fd(k->upstream), EPOLLIN,
			    on_io, k);
	return r < 0 ? err_errno(err, -r, "watch the name servers") : 0;
}

static void ask(struct daemon_lookup *k, enum family family)
{
	struct question *question = &k->questions[family];
	struct dns_name name;

	*question = (struct question){ k, family };
	if (!dns_name_parse(k->host.items[0].name, &name))
		take(k, family, NULL, 0, "not a name that DNS could have");
	else if (dns_upstream_ask(k->upstream, &name, dns_type_of(family), 0, on_result, question) <
		 0)
		take(k, family, NULL, 0, dns_upstream_status_text(DNS_UPSTREAM_UNREACHABLE));
}

struct daemon_lookup *daemon_lookup_open(struct loop *loop, const char *name,
					 const struct ipaddr *servers, size_t n)
{
	struct daemon_lookup *k = xcalloc(1, sizeof(*k));
	struct err err = { 0 };
	int r;

	k->loop = loop;
	k->host.n = 1;
	k->host.items = xcalloc(1, sizeof(*k->host.items));
	k->host.items[0].name = xstrdup(name);
	r = begin(k, servers, n, &err);
	for (int family = 0; family < N_FAMILIES; family++)
		if (r < 0)
			take(k, (enum family)family, NULL, 0, err.text);
		else
			ask(k, (enum family)family);
	if (r >= 0)
		arm(k);
	err_free(&err);
	return k;
}

void daemon_lookup_close(struct daemon_lookup *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->io);
	sd_event_source_disable_unref(k->timer);
	dns_upstream_close(k->upstream);
	resolved_free(&k->host);
	free(k);
}
