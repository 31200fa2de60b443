/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * What the kernel tells of refused packets becomes events: in memory, where `denied` finds them, and
 * perhaps in a file. A rule is told by the prefix of its log statement; what the running plan has to say
 * about a prefix is kept until another policy runs. None of it is needed for enforcing: whatever
 * fails is logged, and enforcing goes on.
 *
 * The kernel tells of DNS replies to the containers, too, in one queue with what is refused: what a
 * container was told is known before it connects there. These names are hearsay, see dns_reply.h; events
 * show them, and nothing else is made of them.
 *
 * What the limits in the kernel suppress is counted all the same, by named counters that stay when rules
 * are rewritten. They are read when somebody asks; and before another policy is enforced, if something was
 * refused since they were read.
 */
#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/report/denied.h"
#include "dockside/system/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dockside/daemon/daemon.h"
#include "dockside/kernel/nflog.h"
#include "dockside/names/lookups.h"
#include "dockside/system/dns_reply.h"
#include "dockside/system/log.h"

#define RULES_CACHED 256
#define ANSWER_MAX (900u << 10) /* bytes of events: what surrounds them fits in an answer, too */
#define LOSS_TOLD_MS 60000	/* one line a minute */
#define DRAIN_TRIES 16

/* What there is to say about a prefix. */
struct denied_rule {
	char prefix[NFLOG_PREFIX_SIZE]; /* "": a free place */
	struct denied_prefix parsed;
	char *network, *file;
	char *entry; /* NULL: an older rule's */
	unsigned line;
	bool audit;
};

struct daemon_denied {
	struct nflog *nflog; /* NULL: nobody tells */
	sd_event_source *io;
	int fd;		  /* of the file, or -1 */
	struct buf lines; /* for the file */
	bool file_failed; /* and it was said */
	bool torn;	  /* only the beginning of its last line was written */
	bool begun;	  /* the counters' beginnings are known */
	bool uncounted;	  /* there were events since the counters were read */
	uint64_t lost;	  /* before nflog was opened again */
	uint64_t loss_until_ms;
	struct denied_ring ring;
	struct denied_counts counts;
	struct lookups lookups;
	uint64_t replies[2]; /* of DNS: those that make no sense, and the others */
	struct denied_rule rules[RULES_CACHED];
};

/* ------------------------------------------------------------------ rules */

static void forget_rule(struct denied_rule *rule)
{
	free(rule->network);
	free(rule->file);
	free(rule->entry);
	*rule = (struct denied_rule){ 0 };
}

static const char *network_of(const struct daemon *d, const char *bridge)
{
	const struct network *network = policy_find_bridge(&d->enforcer.running->policy, bridge);

	return network ? network->name : bridge;
}

static void describe_rule(const struct daemon *d, struct denied_rule *rule)
{
	const struct running *running = d->enforcer.running;
	const struct plan_rule *found =
		denied_find_rule(&running->plan, rule->prefix, &rule->parsed);
	const struct origin *origin = found ? found->origin : NULL;
	unsigned column;

	rule->network = xstrdup(network_of(d, rule->parsed.bridge));
	if (!origin)
		return;
	rule->audit = found->verdict == VERDICT_ACCEPT;
	rule->entry = xstrdup(origin->network ? origin->entry : "-");
	if (!origin->network || !origin->loc.src)
		return;
	rule->file = xstrdup(origin->loc.src->name);
	loc_line_column(origin->loc, &rule->line, &column);
}

/* NULL for a packet that no rule of ours told of. */
static const struct denied_rule *rule_of(struct daemon *d, const char *prefix)
{
	struct denied_rule *rule =
		&d->denied->rules[hash64(HASH_SEED, prefix, strlen(prefix)) % RULES_CACHED];

	if (strcmp(rule->prefix, prefix) == 0)
		return rule;
	forget_rule(rule);
	if (!denied_prefix_parse(prefix, &rule->parsed))
		return NULL;
	snprintf(rule->prefix, sizeof(rule->prefix), "%s", prefix);
	describe_rule(d, rule);
	return rule;
}

static void forget_rules(struct daemon_denied *k)
{
	for (size_t i = 0; i < RULES_CACHED; i++)
		forget_rule(&k->rules[i]);
}

/* ------------------------------------------------------------------ the file */

static void file_failed(struct daemon_denied *k, const char *path, const char *what)
{
	if (!k->file_failed)
		log_error("%s %s: %s; what is refused is kept in memory only", what, path,
			  strerror(errno));
	k->file_failed = true;
}

static void open_file(struct daemon *d)
{
	struct daemon_denied *k = d->denied;
	const char *path = d->options->denied_log;
	struct stat st;

	if (!path)
		return;
	if (k->fd >= 0)
		close(k->fd);
	k->file_failed = false;
	/* Not blocking: it may be a pipe that nobody reads. */
	k->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	if (k->fd < 0)
		file_failed(k, path, "open");
	else if (fstat(k->fd, &st) == 0 && st.st_size == 0)
		k->torn = false;
}

/* What comes next is a line of its own, once there is room for it. */
static bool end_torn_line(struct daemon_denied *k)
{
	if (k->torn && write(k->fd, "\n", 1) == 1)
		k->torn = false;
	return !k->torn;
}

static void write_lines(struct daemon *d)
{
	struct daemon_denied *k = d->denied;

	if (k->lines.len > 0 && k->fd >= 0) {
		ssize_t n = end_torn_line(k) ? write(k->fd, k->lines.data, k->lines.len) : -1;

		if (n > 0)
			k->torn = k->lines.data[n - 1] != '\n';
		if (n >= 0 && (size_t)n < k->lines.len)
			errno = ENOSPC;
		if (n < 0 || (size_t)n < k->lines.len)
			file_failed(k, d->options->denied_log, "write to");
		else
			k->file_failed = false;
	}
	buf_reset(&k->lines);
}

/* ------------------------------------------------------------------ events */

static void on_dns_reply(struct daemon *d, const struct nflog_packet *packet)
{
	struct daemon_denied *k = d->denied;
	uint64_t now_ms = daemon_now_ms(d);
	struct dns_reply reply = { .n_addrs = 0 };
	char bridge[IF_NAMESIZE] = "";
	bool good = packet->data && dns_reply_parse(packet->data, packet->n_data, &reply);

	k->replies[good]++;
	if (reply.n_addrs == 0 || !if_indextoname(packet->oif, bridge))
		return;
	for (size_t i = 0; i < reply.n_addrs; i++)
		lookups_add(&k->lookups, bridge, &reply.addrs[i], reply.name, now_ms);
}

static void on_refused(struct daemon *d, const struct nflog_packet *packet,
		       const struct denied_rule *rule)
{
	struct daemon_denied *k = d->denied;
	const char *json, *looked_up = lookups_find(&k->lookups, rule->parsed.bridge, &packet->dst,
						    daemon_now_ms(d));
	struct denied_event event = {
		.time_ms = packet->time_ms ? packet->time_ms : unix_ms(),
		.audit = rule->audit,
		.network = rule->network,
		.bridge = rule->parsed.bridge,
		.kind = rule->parsed.kind,
		.container = daemon_docker_container(d, rule->parsed.bridge, &packet->src,
						     packet->has_mac ? packet->mac : NULL),
		.src = packet->src,
		.dst = packet->dst,
		.l4proto = packet->l4proto,
		.has_ports = packet->has_ports,
		.has_icmp = packet->has_icmp,
		.sport = packet->sport,
		.dport = packet->dport,
		.icmp_type = packet->icmp_type,
		.icmp_code = packet->icmp_code,
		.entry = rule->entry,
		.file = rule->file,
		.line = rule->line,
	};

	event.name = denied_name(&d->enforcer.names, looked_up, &packet->dst, &event.looked_up);
	json = denied_ring_add(&k->ring, &event);
	denied_count_of(&k->counts, event.bridge, event.kind)->told++;
	k->uncounted = true;
	if (k->fd >= 0) {
		buf_puts(&k->lines, json);
		buf_putc(&k->lines, '\n');
	}
}

static void on_packet(void *data, const struct nflog_packet *packet)
{
	const struct denied_rule *rule;
	struct daemon *d = data;

	if (strcmp(packet->prefix, LOOKUPS_PREFIX) == 0) {
		on_dns_reply(d, packet);
		return;
	}
	rule = rule_of(d, packet->prefix);
	if (rule)
		on_refused(d, packet, rule);
}

static void tell_loss(struct daemon *d)
{
	uint64_t now_ms = daemon_now_ms(d);

	if (now_ms < d->denied->loss_until_ms)
		return;
	d->denied->loss_until_ms = now_ms + LOSS_TOLD_MS;
	log_warning("more packets were refused than could be told of, %" PRIu64
		    " of them by now; they are counted",
		    daemon_denied_lost(d));
}

static void stop_listening(struct daemon *d)
{
	d->denied->lost = daemon_denied_lost(d);
	sd_event_source_disable_unref(d->denied->io);
	nflog_close(d->denied->nflog);
	d->denied->io = NULL;
	d->denied->nflog = NULL;
}

static void read_packets(struct daemon *d)
{
	struct err err = { 0 };
	bool lost = false;
	int r = nflog_read(d->denied->nflog, on_packet, d, &lost, &err);

	write_lines(d);
	if (lost)
		tell_loss(d);
	if (r < 0 && r != -EBADMSG) {
		log_error("%s; what is refused is not told of any more", err.text);
		stop_listening(d);
	}
	err_free(&err);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)source;
	(void)fd;
	(void)revents;
	read_packets(data);
	return 0;
}

/* ------------------------------------------------------------------ counters */

/* One that is gone begins anew when it comes back. */
static void count_chain(struct daemon *d, const struct actual *actual, const char *bridge,
			const char *kind)
{
	struct denied_count *count = denied_count_of(&d->denied->counts, bridge, kind);
	struct arena arena = { 0 };
	const struct actual_object *tally =
		actual_find_object(actual, OBJECT_COUNTER, plan_tally_name(&arena, bridge, kind));

	arena_free(&arena);
	denied_count_update(count, tally ? tally->packets : 0, daemon_now_ms(d));
}

static void count_all(struct daemon *d, const struct actual *actual)
{
	const struct denied_counts *counts = &d->denied->counts;

	for (size_t i = 0; i < actual->n_objects; i++) {
		char bridge[BRIDGE_NAME_MAX + 1], kind[DENIED_KIND_MAX + 1];

		/* Others than are known by now. */
		if (actual->objects[i].kind == OBJECT_COUNTER &&
		    denied_tally_parse(actual->objects[i].name, bridge, kind))
			denied_count_of(&d->denied->counts, bridge, kind);
	}
	for (size_t i = 0; i < counts->n; i++)
		count_chain(d, actual, counts->items[i].bridge, counts->items[i].kind);
}

/* First the counters, then what they have counted that was told of: so it cannot be less than was told. */
void daemon_denied_count(struct daemon *d)
{
	struct daemon_denied *k = d->denied;
	uint64_t collected = 0;
	struct actual actual;

	if (!k || !d->enforcer.running || nft_read_objects(d->enforcer.reader, &actual, NULL) < 0)
		return;
	count_all(d, &actual);
	actual_free(&actual);
	if (k->nflog) {
		collected = nflog_collected(k->nflog);
		for (int i = 0; k->nflog && !nflog_is_drained(k->nflog) && i < DRAIN_TRIES; i++)
			read_packets(d);
		if (k->nflog && !nflog_is_drained(k->nflog))
			return; /* next time */
	}
	for (size_t i = 0; i < k->counts.n; i++)
		denied_count_settle(&k->counts.items[i], collected);
	k->uncounted = false;
}

/* What was counted before we listened. */
static void begin_counts(struct daemon *d)
{
	struct daemon_denied *k = d->denied;
	struct actual actual;

	if (k->begun || nft_read_objects(d->enforcer.reader, &actual, NULL) < 0)
		return;
	k->begun = true;
	for (size_t i = 0; i < actual.n_objects; i++) {
		const struct actual_object *object = &actual.objects[i];
		char bridge[BRIDGE_NAME_MAX + 1], kind[DENIED_KIND_MAX + 1];

		if (object->kind == OBJECT_COUNTER &&
		    denied_tally_parse(object->name, bridge, kind))
			denied_count_begin(denied_count_of(&k->counts, bridge, kind),
					   object->packets);
	}
	actual_free(&actual);
}

void daemon_denied_before(struct daemon *d)
{
	if (!d->denied || !d->enforcer.running)
		return;
	/* What is here is of the rules that go; what the kernel still collects comes as of older ones. */
	if (d->denied->nflog)
		read_packets(d);
	/* Nor do the counters of a network that goes stay. */
	if (d->denied->uncounted)
		daemon_denied_count(d);
}

void daemon_denied_enforced(struct daemon *d)
{
	if (d->denied)
		forget_rules(d->denied);
}

const struct denied_counts *daemon_denied_counts(const struct daemon *d)
{
	return d->denied ? &d->denied->counts : NULL;
}

uint64_t daemon_denied_lost(const struct daemon *d)
{
	const struct daemon_denied *k = d->denied;

	return !k ? 0 : k->lost + (k->nflog ? nflog_lost(k->nflog) : 0);
}

static void put_count(struct json_writer *out, const struct daemon *d,
		      const struct denied_count *count)
{
	json_write_open(out, NULL, '{');
	json_write_string(out, "network", network_of(d, count->bridge));
	json_write_string(out, "kind", count->kind);
	json_write_int(out, "packets", (int64_t)(count->told + count->suppressed));
	json_write_int(out, "events", (int64_t)count->told);
	json_write_int(out, "suppressed", (int64_t)count->suppressed);
	json_write_close(out, '}');
}

/* ------------------------------------------------------------------ the answer */

static uint64_t number_of(const struct request *request, const char *key)
{
	const struct json_node *node = request_field(request, key);

	return node && node->kind == JSON_INT && node->u.integer > 0 ? (uint64_t)node->u.integer
								     : 0;
}

bool daemon_denied_knows(const struct daemon *d, const char *network, struct err *err)
{
	if (d->denied && denied_ring_knows(&d->denied->ring, network))
		return true;
	return policy_find_network(&d->enforcer.running->policy, network, err);
}

/* As the files spell it. */
static void put_network(struct json_writer *out, const struct policy *policy, const char *name)
{
	const struct network *network = policy_find_network(policy, name, NULL);

	json_write_string(out, "network", network ? network->name : name);
}

/* Who follows asks all the time: what is nothing is left out. As many as leave room for events. */
static void put_counts(struct daemon *d, const struct denied_query *query, struct json_writer *out)
{
	const struct denied_counts *counts = &d->denied->counts;

	daemon_denied_count(d);
	json_write_int(out, "lost", (int64_t)daemon_denied_lost(d));
	json_write_open(out, "counts", '[');
	for (size_t i = 0; i < counts->n && out->b->len < ANSWER_MAX / 2; i++) {
		const struct denied_count *count = &counts->items[i];

		if (count->told + count->suppressed > 0 &&
		    (!query->network ||
		     strcasecmp(query->network, network_of(d, count->bridge)) == 0))
			put_count(out, d, count);
	}
	json_write_close(out, ']');
}

void daemon_denied_answer(struct daemon *d, const struct request *request, struct json_writer *out)
{
	struct daemon_denied *k = d->denied;
	struct denied_query query = { .after = number_of(request, "after"),
				      .since_ms = number_of(request, "since_ms"),
				      .network = request_string(request, "network"),
				      .policy = &d->enforcer.running->policy };
	static const struct denied_ring nothing = { 0 };

	json_write_open(out, NULL, '{');
	json_write_string(out, "status", "ok");
	json_write_bool(out, "listening", k && k->nflog);
	if (query.network)
		put_network(out, &d->enforcer.running->policy, query.network);
	if (k)
		put_counts(d, &query, out);
	query.max = ANSWER_MAX - out->b->len;
	denied_ring_json(k ? &k->ring : &nothing, &query, out);
	json_write_close(out, '}');
}

const char *daemon_denied_looked_up(const struct daemon *d, const char *bridge,
				    const struct ipaddr *addr)
{
	return d->denied ? lookups_find(&d->denied->lookups, bridge, addr, daemon_now_ms(d)) : NULL;
}

size_t daemon_denied_looked_up_name(const struct daemon *d, const char *bridge, const char *name,
				    struct ipaddr *ret_addrs, size_t max)
{
	return d->denied ? lookups_of_name(&d->denied->lookups, bridge, name, daemon_now_ms(d),
					   ret_addrs, max)
			 : 0;
}

struct metrics_lookups daemon_denied_lookups(const struct daemon *d)
{
	struct daemon_denied *k = d->denied;

	if (!k || !k->nflog)
		return (struct metrics_lookups){ 0 };
	lookups_expire(&k->lookups, daemon_now_ms(d));
	return (struct metrics_lookups){
		.listening = true,
		.n = k->lookups.n,
		.replies = k->replies[true],
		.malformed = k->replies[false],
	};
}

/* ------------------------------------------------------------------ start and stop */

static int listen_to_group(struct daemon *d, struct err *err)
{
	struct daemon_denied *k = d->denied;
	int r;

	begin_counts(d);
	r = nflog_open(d->options->plan.log_group, &k->nflog, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(d->event, &k->io, nflog_fd(k->nflog), EPOLLIN, on_io, d);
	/* After everything that keeps the policy in force. */
	if (r >= 0)
		r = sd_event_source_set_priority(k->io, SD_EVENT_PRIORITY_NORMAL + 5);
	return r < 0 ? err_errno(err, -r, "event loop") : 0;
}

void daemon_denied_reload(struct daemon *d)
{
	struct err err = { 0 };

	if (d->options->plan.log_group == 0)
		return;
	if (!d->denied) {
		d->denied = xcalloc(1, sizeof(*d->denied));
		d->denied->fd = -1;
	}
	open_file(d);
	if (d->denied->nflog)
		return;
	if (listen_to_group(d, &err) < 0) {
		log_warning("%s; what is refused is not told of (--log-group)", err.text);
		stop_listening(d);
	}
	err_free(&err);
}

void daemon_denied_stop(struct daemon *d)
{
	struct daemon_denied *k = d->denied;

	if (!k)
		return;
	stop_listening(d);
	forget_rules(k);
	if (k->fd >= 0)
		close(k->fd);
	buf_free(&k->lines);
	denied_ring_free(&k->ring);
	denied_counts_free(&k->counts);
	lookups_free(&k->lookups);
	free(k);
}
