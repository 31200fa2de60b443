/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The kernel's reports of refused packets become events: in memory, where `denied` finds them, and
 * perhaps in a file. The prefix of its log statement identifies a rule; what the running plan has to say
 * about a prefix is kept until another policy runs. None of it is needed for enforcing: whatever
 * fails is logged, and enforcing goes on.
 *
 * The kernel reports DNS replies to the containers, too, in one queue with refused packets: what a
 * container was told is known before it connects there. These names are hearsay, see dns_reply.h; events
 * show them, and nothing else is made of them.
 *
 * The packets that limits in the kernel keep from being events are counted all the same, by named counters that stay
 * when rules are rewritten. They are read when somebody asks.
 */
#include "daemon_denied.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/ctl/edit.h"
#include "dockside/report/denied.h"
#include "dockside/system/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "denied_file.h"
#include "dockside/kernel/nflog.h"
#include "dockside/names/lookups.h"
#include "dockside/system/dns_reply.h"
#include "dockside/system/log.h"

#define RULES_CACHED 256
#define ANSWER_MAX (900u << 10) /* bytes of events: what surrounds them fits in an answer, too */
#define WAIT_MAX_MS 5000	/* that a client may wait for an event */
#define LOSS_TOLD_MS 60000	/* one line a minute */

/* The rule that a prefix stands for. */
struct denied_rule {
	char prefix[NFLOG_PREFIX_SIZE]; /* "": a free place */
	struct denied_prefix parsed;
	char *network, *file;
	char *entry; /* NULL: an older rule's */
	unsigned line;
	bool audit, on_purpose;
	char *reason; /* of the bridge table's, as the two below; NULL: an older rule's */
	bool has_field;
	enum frame_field field;
};

struct daemon_denied {
	struct loop *loop;
	const struct enforcer *enforcer;
	struct daemon_docker *docker;
	const struct daemon_ports *ports;
	uint16_t log_group;  /* 0: none */
	struct nflog *nflog; /* NULL: nobody tells */
	sd_event_source *io;
	struct denied_file file;
	uint64_t lost; /* before nflog was opened again */
	uint64_t loss_until_ms;
	struct denied_ring ring;
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
	free(rule->reason);
	*rule = (struct denied_rule){ 0 };
}

static const char *network_of(const struct daemon_denied *k, const char *bridge)
{
	const struct network *network = policy_find_bridge(&k->enforcer->running->policy, bridge);

	return network ? network->name : bridge;
}

static void describe_rule(const struct daemon_denied *k, struct denied_rule *rule)
{
	const struct running *running = k->enforcer->running;
	bool binds = rule->parsed.table == TABLE_BRIDGE;
	const struct plan_rule *found = denied_find_rule(binds ? &running->bind : &running->plan,
							 rule->prefix, &rule->parsed);
	const struct origin *origin = found ? found->origin : NULL;
	unsigned column;

	rule->network = xstrdup(network_of(k, rule->parsed.bridge));
	if (!origin)
		return;
	if (binds) {
		rule->reason = found->comment ? xstrdup(found->comment) : NULL;
		rule->has_field = denied_rule_field(found, rule->parsed.kind, &rule->field);
	}
	rule->audit = found->verdict == VERDICT_ACCEPT;
	rule->on_purpose = denied_on_purpose(&running->policy, origin);
	rule->entry = xstrdup(origin->network ? origin->entry : "-");
	if (!origin->network || !origin->loc.src)
		return;
	rule->file = xstrdup(origin->loc.src->name);
	loc_line_column(origin->loc, &rule->line, &column);
}

/* NULL for a packet that no rule of ours reported. */
static const struct denied_rule *rule_of(struct daemon_denied *k, const char *prefix)
{
	struct denied_rule *rule =
		&k->rules[hash64(HASH_SEED, prefix, strlen(prefix)) % RULES_CACHED];

	if (strcmp(rule->prefix, prefix) == 0)
		return rule;
	forget_rule(rule);
	if (!denied_prefix_parse(prefix, &rule->parsed))
		return NULL;
	snprintf(rule->prefix, sizeof(rule->prefix), "%s", prefix);
	describe_rule(k, rule);
	return rule;
}

static void forget_rules(struct daemon_denied *k)
{
	for (size_t i = 0; i < RULES_CACHED; i++)
		forget_rule(&k->rules[i]);
}

/* ------------------------------------------------------------------ events */

static void on_dns_reply(struct daemon_denied *k, const struct nflog_packet *packet)
{
	uint64_t now_ms = loop_now_ms(k->loop);
	struct dns_reply reply = { .n_addrs = 0 };
	char bridge[IF_NAMESIZE] = "";
	bool good = packet->data && dns_reply_parse(packet->data, packet->n_data, &reply);

	k->replies[good]++;
	if (reply.n_addrs == 0 || !if_indextoname(packet->oif, bridge))
		return;
	for (size_t i = 0; i < reply.n_addrs; i++)
		lookups_add(&k->lookups, bridge, &reply.addrs[i], reply.name, now_ms);
}

static void keep_event(struct daemon_denied *k, struct denied_event *event)
{
	const char *json = denied_ring_add(&k->ring, event);

	denied_file_add(&k->file, json);
}

/* Adds what an event says of any packet, and keeps it. */
static void keep(struct daemon_denied *k, const struct nflog_packet *packet,
		 const struct denied_rule *rule, struct denied_event *event)
{
	const char *looked_up =
		lookups_find(&k->lookups, event->bridge, &packet->dst, loop_now_ms(k->loop));

	event->time_ms = packet->time_ms ? packet->time_ms : unix_ms();
	event->kind = rule->parsed.kind;
	event->src = packet->src;
	event->dst = packet->dst;
	event->l4proto = packet->l4proto;
	event->has_ports = packet->has_ports;
	event->has_icmp = packet->has_icmp;
	event->sport = packet->sport;
	event->dport = packet->dport;
	event->icmp_type = packet->icmp_type;
	event->icmp_code = packet->icmp_code;
	event->entry = rule->entry;
	event->file = rule->file;
	event->line = rule->line;
	event->on_purpose = rule->on_purpose;
	event->name = denied_name(&k->enforcer->names, looked_up, &packet->dst, &event->looked_up);
	keep_event(k, event);
}

static void on_refused(struct daemon_denied *k, const struct nflog_packet *packet,
		       const struct denied_rule *rule)
{
	struct denied_event event = {
		.audit = rule->audit,
		.network = rule->network,
		.bridge = rule->parsed.bridge,
		.container = daemon_docker_container(k->docker, rule->parsed.bridge, &packet->src,
						     packet->has_mac ? packet->mac : NULL),
	};

	keep(k, packet, rule, &event);
}

/* By the port alone: the addresses of the frame are what is in doubt. */
struct sender {
	char name[IF_NAMESIZE];		/* "": there is none, or it went before anybody saw it */
	const char *bridge, *container; /* or NULL */
};

static struct sender find_port(const struct daemon_denied *k, unsigned index)
{
	const struct port_past *past = index ? daemon_ports_past(k->ports, index) : NULL;
	struct sender port = { .name = "" };

	if (past) {
		memcpy(port.name, past->name, sizeof(port.name));
		port.bridge = past->bridge;
		port.container = past->container;
	} else if (index && !if_indextoname(index, port.name)) {
		port.name[0] = '\0';
	}
	return port;
}

static struct denied_frame frame_of(const struct nflog_frame *from, const struct denied_rule *rule)
{
	struct denied_frame frame = {
		.protocol = from->protocol,
		.has_addrs = from->has_addrs,
		.has_macs = from->has_macs,
		.has_sender = from->has_sender,
		.has_target = from->has_target,
		.target = from->target,
		.has_field = rule->has_field,
		.field = rule->field,
		.reason = rule->reason,
	};

	memcpy(frame.src, from->src, sizeof(frame.src));
	memcpy(frame.dst, from->dst, sizeof(frame.dst));
	memcpy(frame.sender, from->sender, sizeof(frame.sender));
	return frame;
}

static void on_frame(struct daemon_denied *k, const struct nflog_packet *packet,
		     const struct denied_rule *rule)
{
	char bridge[IF_NAMESIZE] = "";
	const struct sender port = find_port(k, packet->frame.in_port);
	const struct sender to = find_port(k, packet->frame.out_port);
	struct denied_frame frame = frame_of(&packet->frame, rule);
	struct denied_event event = { .network = rule->network,
				      .bridge = rule->parsed.bridge,
				      .container = port.container,
				      .frame = &frame };

	frame.port = port.name[0] ? port.name : NULL;
	frame.to_port = to.name[0] ? to.name : NULL;
	frame.to_container = to.container;
	if (!event.bridge[0]) {
		/* The port may have gone, and its bridge as well. */
		event.bridge = if_indextoname(packet->frame.bridge, bridge) ? bridge
			       : port.bridge				    ? port.bridge
									    : LOG_NO_BRIDGE;
		event.network = network_of(k, event.bridge);
	}
	keep(k, packet, rule, &event);
}

static void on_packet(void *data, const struct nflog_packet *packet)
{
	const struct denied_rule *rule;
	struct daemon_denied *k = data;

	if (strcmp(packet->prefix, LOOKUPS_PREFIX) == 0) {
		on_dns_reply(k, packet);
		return;
	}
	rule = rule_of(k, packet->prefix);
	if (!rule || packet->is_frame != (rule->parsed.table == TABLE_BRIDGE))
		return;
	if (packet->is_frame)
		on_frame(k, packet, rule);
	else
		on_refused(k, packet, rule);
}

static uint64_t count_lost(const struct daemon_denied *k)
{
	return k->lost + (k->nflog ? nflog_lost(k->nflog) : 0);
}

static void tell_loss(struct daemon_denied *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (now_ms < k->loss_until_ms)
		return;
	k->loss_until_ms = now_ms + LOSS_TOLD_MS;
	log_warning("more packets were refused than could be reported, %" PRIu64
		    " of them by now; they are counted",
		    count_lost(k));
}

static void stop_listening(struct daemon_denied *k)
{
	k->lost = count_lost(k);
	sd_event_source_disable_unref(k->io);
	nflog_close(k->nflog);
	k->io = NULL;
	k->nflog = NULL;
}

static void read_packets(struct daemon_denied *k)
{
	uint64_t before = k->ring.n_added;
	struct err err = { 0 };
	bool lost = false;
	int r = nflog_read(k->nflog, on_packet, k, &lost, &err);

	denied_file_write(&k->file);
	if (k->ring.n_added > before)
		loop_post(k->loop, NOTE_DENIED);
	if (lost)
		tell_loss(k);
	if (r < 0 && r != -EBADMSG) {
		log_error("%s; refused packets are not reported any more", err.text);
		stop_listening(k);
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

/* ------------------------------------------------------------------ the DNS gate */

void daemon_denied_told(struct daemon_denied *k, const char *bridge, const char *name,
			const struct ipaddr *addr)
{
	lookups_add(&k->lookups, bridge, addr, name, loop_now_ms(k->loop));
}

void daemon_denied_question(struct daemon_denied *k, const struct network *network,
			    const struct ipaddr *client, const char *name,
			    const struct denied_dns *question)
{
	struct denied_event event = {
		.time_ms = unix_ms(),
		.audit = network->audit,
		.network = network->name,
		.bridge = network->bridge,
		.kind = DENIED_NAME,
		.container = daemon_docker_container(k->docker, network->bridge, client, NULL),
		.src = *client,
		.name = name,
		.question = question,
		.entry = "-",
	};

	keep_event(k, &event);
	denied_file_write(&k->file);
	loop_post(k->loop, NOTE_DENIED);
}

/* ------------------------------------------------------------------ another policy */

void daemon_denied_before(struct daemon_denied *k)
{
	/* Packets that are here are of the rules that go; those that the kernel still collects come as of older ones. */
	if (k->nflog && k->enforcer->running)
		read_packets(k);
}

void daemon_denied_enforced(struct daemon_denied *k)
{
	forget_rules(k);
}

/* ------------------------------------------------------------------ the answer */

static uint64_t number_of(const struct request *request, const char *key)
{
	const struct json_node *node = request_field(request, key);

	return node && node->kind == JSON_INT && node->u.integer > 0 ? (uint64_t)node->u.integer
								     : 0;
}

bool daemon_denied_knows(const struct daemon_denied *k, const char *network, struct err *err)
{
	if (denied_ring_knows(&k->ring, network))
		return true;
	return policy_find_network(&k->enforcer->running->policy, network, err);
}

uint64_t daemon_denied_wait_ms(const struct daemon_denied *k, const struct request *request)
{
	uint64_t ms = number_of(request, "wait_ms");

	if (!request_field(request, "after") || number_of(request, "after") != k->ring.n_added)
		return 0;
	return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

/* Its name as the files spell it; and for changes that are made of the answer, of which text it is. */
static void put_network(struct json_writer *out, const struct policy *policy, const char *name)
{
	const struct network *network = policy_find_network(policy, name, NULL);
	char base[EDIT_BASE_SIZE];

	json_write_string(out, "network", network ? network->name : name);
	json_write_string(out, "base", edit_base(&policy->firewall_src, base));
}

static void put_packets(const struct denied_query *query, const char *name, uint64_t packets,
			struct json_writer *out)
{
	if ((query->network && strcasecmp(query->network, name) != 0) || packets == 0 ||
	    out->b->len >= ANSWER_MAX / 2) /* the rest is for events */
		return;
	json_write_int(out, name, (int64_t)packets);
}

static void put_all_packets(const struct daemon_denied *k, const struct denied_query *query,
			    struct json_writer *out)
{
	const struct policy *policy = &k->enforcer->running->policy;
	struct actual tables[N_TABLES] = { { .family = TABLE_INET }, { .family = TABLE_BRIDGE } };
	uint64_t packets;

	if (nft_read_objects(k->enforcer->reader, TABLE_INET, &tables[TABLE_INET], NULL) < 0)
		return;
	/* Perhaps the kernel has no such family. */
	(void)nft_read_objects(k->enforcer->reader, TABLE_BRIDGE, &tables[TABLE_BRIDGE], NULL);
	json_write_open(out, "packets", '{');
	for (size_t i = 0; i < policy->n_networks; i++)
		if (denied_packets(&tables[TABLE_INET], policy->networks[i].stem, &packets))
			put_packets(query, policy->networks[i].name, packets, out);
	if (denied_bound_packets(&tables[TABLE_BRIDGE], NULL, &packets))
		put_packets(query, LOG_NO_BRIDGE, packets, out);
	json_write_close(out, '}');
	for (int i = 0; i < N_TABLES; i++)
		actual_free(&tables[i]);
}

void daemon_denied_answer(struct daemon_denied *k, const struct request *request,
			  struct json_writer *out)
{
	struct denied_query query = { .after = number_of(request, "after"),
				      .since_ms = number_of(request, "since_ms"),
				      .network = request_string(request, "network"),
				      .policy = &k->enforcer->running->policy };

	json_write_open(out, NULL, '{');
	json_write_string(out, "status", "ok");
	json_write_bool(out, "listening", k->nflog != NULL);
	if (query.network)
		put_network(out, &k->enforcer->running->policy, query.network);
	if (k->log_group != 0)
		put_all_packets(k, &query, out);
	query.max = ANSWER_MAX - out->b->len;
	denied_ring_json(&k->ring, &query, out);
	json_write_close(out, '}');
}

const char *daemon_denied_looked_up(const struct daemon_denied *k, const char *bridge,
				    const struct ipaddr *addr)
{
	return lookups_find(&k->lookups, bridge, addr, loop_now_ms(k->loop));
}

size_t daemon_denied_looked_up_name(const struct daemon_denied *k, const char *bridge,
				    const char *name, struct ipaddr *ret_addrs, size_t max)
{
	return lookups_of_name(&k->lookups, bridge, name, loop_now_ms(k->loop), ret_addrs, max);
}

struct denied_view daemon_denied_view(struct daemon_denied *k)
{
	if (k->log_group == 0)
		return (struct denied_view){ 0 };
	lookups_expire(&k->lookups, loop_now_ms(k->loop));
	return (struct denied_view){
		.listens = true,
		.n_events = k->ring.n_added,
		.lost = count_lost(k),
		.lookups = {
			.listening = k->nflog != NULL,
			.n = k->lookups.n,
			.replies = k->replies[true],
			.malformed = k->replies[false],
		},
	};
}

/* ------------------------------------------------------------------ start and stop */

static int listen_to_group(struct daemon_denied *k, struct err *err)
{
	int r;

	r = nflog_open(k->log_group, &k->nflog, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(k->loop), &k->io, nflog_fd(k->nflog), EPOLLIN, on_io, k);
	/* After everything that keeps the policy in force. */
	if (r >= 0)
		r = sd_event_source_set_priority(k->io, SD_EVENT_PRIORITY_NORMAL + 5);
	return r < 0 ? err_errno(err, -r, "event loop") : 0;
}

void daemon_denied_reload(struct daemon_denied *k)
{
	struct err err = { 0 };

	if (k->log_group == 0)
		return;
	denied_file_open(&k->file);
	if (k->nflog)
		return;
	if (listen_to_group(k, &err) < 0) {
		log_warning("%s; refused packets are not reported (--log-group)", err.text);
		stop_listening(k);
	}
	err_free(&err);
}

struct daemon_denied *daemon_denied_open(struct loop *loop, const struct enforcer *enforcer,
					 struct daemon_docker *docker,
					 const struct daemon_ports *ports, uint16_t log_group,
					 const char *path)
{
	struct daemon_denied *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->enforcer = enforcer;
	k->docker = docker;
	k->ports = ports;
	k->log_group = log_group;
	denied_file_init(&k->file, path);
	return k;
}

void daemon_denied_close(struct daemon_denied *k)
{
	if (!k)
		return;
	stop_listening(k);
	forget_rules(k);
	denied_file_close(&k->file);
	denied_ring_free(&k->ring);
	lookups_free(&k->lookups);
	free(k);
}
