/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "gate_message.h"
#include "gate_records.h"

/* One of this second. */
struct refusal {
	uint64_t hash;
	char network[64 + 1];
	struct ipaddr client;
	struct dns_name name;
	unsigned type;
	const char *why;
	uint64_t times;
};

struct gate_report {
	gate_send_fn send;
	void *data;
	struct refusal refusals[GATE_REFUSALS_PER_S];
	size_t n_refusals, n_told, n_alarms;
	uint64_t left_out;
	struct gate_counts said;
	uint64_t said_received;
	struct buf text;
};

struct gate_report *gate_report_new(gate_send_fn send, void *data)
{
	struct gate_report *report = xcalloc(1, sizeof(*report));

	report->send = send;
	report->data = data;
	return report;
}

void gate_report_free(struct gate_report *report)
{
	if (!report)
		return;
	buf_free(&report->text);
	free(report);
}

/* ------------------------------------------------------------------ messages */

static struct json_writer begin(struct gate_report *report, const char *type)
{
	struct json_writer out = { .b = &report->text };

	buf_reset(&report->text);
	json_write_open(&out, NULL, '{');
	json_write_string(&out, "type", type);
	return out;
}

/* False: the daemon is away, or has no time. */
static bool end(struct gate_report *report, struct json_writer *out)
{
	bool ok;

	json_write_close(out, '}');
	ok = report->text.len <= GATE_REPORT_MAX &&
	     report->send(report->data, report->text.data, report->text.len);
	report->left_out += !ok;
	return ok;
}

static void write_name(struct json_writer *out, const struct dns_name *name)
{
	char text[GATE_NAME_TEXT_MAX];

	json_write_string(out, "name", gate_name_text(name, text));
}

/* ------------------------------------------------------------------ refusals */

static uint64_t hash_refusal(const struct gate_net *net, const struct ipaddr *client,
			     const struct dns_name *name, unsigned type)
{
	uint64_t hash = hash64(HASH_SEED + type, net->bridge, sizeof(net->bridge));

	return hash64(hash64(hash, client->b, sizeof(client->b)), name->b, name->len);
}

static bool is_same(const struct refusal *refusal, const struct gate_net *net,
		    const struct ipaddr *client, const struct dns_name *name, unsigned type)
{
	return refusal->type == type && strcmp(refusal->network, net->policy->name) == 0 &&
	       ipaddr_cmp(&refusal->client, client) == 0 && dns_name_equal(&refusal->name, name);
}

void gate_report_refusal(struct gate_report *report, const struct gate_net *net,
			 const struct ipaddr *client, const struct dns_name *name, unsigned type,
			 const char *why)
{
	uint64_t hash = hash_refusal(net, client, name, type);
	struct refusal *refusal = report->refusals;

	for (size_t i = 0; i < report->n_refusals; i++, refusal++)
		if (refusal->hash == hash && is_same(refusal, net, client, name, type)) {
			refusal->times++;
			return;
		}
	if (report->n_refusals == GATE_REFUSALS_PER_S) {
		report->left_out++;
		return;
	}
	*refusal = (struct refusal){ hash, { 0 }, *client, *name, type, why, 1 };
	memcpy(refusal->network, net->policy->name,
	       strnlen(net->policy->name, sizeof(refusal->network) - 1));
	report->n_refusals++;
}

static void send_refusal(struct gate_report *report, const struct refusal *refusal)
{
	struct json_writer out = begin(report, "refusal");
	char addr[ADDR_STRLEN], type[GATE_TYPE_TEXT_MAX];

	json_write_string(&out, "network", refusal->network);
	json_write_string(&out, "client", ipaddr_format(&refusal->client, addr));
	write_name(&out, &refusal->name);
	json_write_string(&out, "qtype", gate_type_text(refusal->type, type));
	json_write_string(&out, "why", refusal->why);
	json_write_int(&out, "times", (int64_t)refusal->times);
	end(report, &out);
}

/* ------------------------------------------------------------------ others */

void gate_report_told(struct gate_report *report, const struct gate_net *net,
		      const struct dns_name *name, const struct ipaddr *addrs, size_t n)
{
	struct json_writer out;
	char addr[ADDR_STRLEN];

	if (report->n_told == GATE_TOLD_PER_S) {
		report->left_out++;
		return;
	}
	report->n_told++;
	out = begin(report, "told");
	json_write_string(&out, "network", net->policy->name);
	write_name(&out, name);
	json_write_open(&out, "addresses", '[');
	for (size_t i = 0; i < n; i++)
		json_write_string(&out, NULL, ipaddr_format(&addrs[i], addr));
	json_write_close(&out, ']');
	end(report, &out);
}

void gate_report_alarm(struct gate_report *report, const struct gate_net *net,
		       const struct dns_name *name, const char *why)
{
	struct json_writer out;

	if (report->n_alarms == GATE_ALARMS_PER_S) {
		report->left_out++;
		return;
	}
	report->n_alarms++;
	out = begin(report, "alarm");
	json_write_string(&out, "network", net->policy->name);
	write_name(&out, name);
	json_write_string(&out, "why", why);
	end(report, &out);
}

bool gate_report_taken(struct gate_report *report, const char *generation, int64_t serial,
		       bool missed)
{
	struct json_writer out = begin(report, "taken");

	json_write_string(&out, "generation", generation);
	json_write_int(&out, "serial", serial);
	if (missed)
		json_write_bool(&out, "missed", true);
	return end(report, &out);
}

void gate_report_refused(struct gate_report *report, const char *why)
{
	struct json_writer out = begin(report, "refused");

	json_write_string(&out, "why", why);
	end(report, &out);
}

/* ------------------------------------------------------------------ the state */

static void write_counts(struct json_writer *out, const struct gate_counts *c)
{
	const struct {
		const char *key;
		uint64_t value;
	} all[] = {
		{ "queries", c->queries },
		{ "hits", c->hits },
		{ "refused", c->refused },
		{ "misses", c->misses },
		{ "failures", c->failures },
		{ "tells", c->tells },
		{ "tell_failures", c->tell_failures },
		{ "tcp", c->tcp },
		{ "limited", c->limited },
		{ "lost", c->lost },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_write_int(out, all[i].key, (int64_t)all[i].value);
}

static void write_upstream(struct json_writer *out, const struct dns_upstream *upstream)
{
	struct dns_upstream_health health;
	char addr[ADDR_STRLEN];

	json_write_open(out, "upstream", '[');
	for (size_t i = 0; dns_upstream_health(upstream, i, &health); i++) {
		json_write_open(out, NULL, '{');
		json_write_string(out, "address", ipaddr_format(&health.addr, addr));
		json_write_bool(out, "ok", health.ok);
		json_write_string(out, "why", health.why);
		json_write_close(out, '}');
	}
	json_write_close(out, ']');
}

/* Networks fill several messages where there are many; the first has everything else, too. */
static void send_state(struct gate_report *report, const struct gate_counts *counts,
		       size_t n_cached, struct gate_net_list *nets,
		       const struct dns_upstream *upstream)
{
	struct json_writer out = begin(report, "state");
	const struct gate_net *net;

	json_write_int(&out, "pid", getpid());
	write_counts(&out, counts);
	json_write_int(&out, "cache", (int64_t)n_cached);
	json_write_int(&out, "left_out", (int64_t)report->left_out);
	write_upstream(&out, upstream);
	json_write_open(&out, "networks", '{');
	for (net = TAILQ_FIRST(nets); net; net = TAILQ_NEXT(net, entry)) {
		if (!net->policy)
			continue;
		if (report->text.len > GATE_REPORT_MAX - 512) {
			json_write_close(&out, '}');
			end(report, &out);
			out = begin(report, "state");
			json_write_open(&out, "networks", '{');
		}
		json_write_open(&out, net->policy->name, '{');
		json_write_int(&out, "received", (int64_t)net->received);
		json_write_int(&out, "refused", (int64_t)net->refused);
		json_write_close(&out, '}');
	}
	json_write_close(&out, '}');
	end(report, &out);
}

/* Something that arrives and is no question has no other count. */
static uint64_t count_received(const struct gate_net_list *nets)
{
	const struct gate_net *net;
	uint64_t n = 0;

	for (net = TAILQ_FIRST(nets); net; net = TAILQ_NEXT(net, entry))
		n += net->received;
	return n;
}

void gate_report_tick(struct gate_report *report, const struct gate_counts *counts, size_t n_cached,
		      struct gate_net_list *nets, const struct dns_upstream *upstream, bool anyway)
{
	uint64_t received = count_received(nets);

	for (size_t i = 0; i < report->n_refusals; i++)
		send_refusal(report, &report->refusals[i]);
	report->n_refusals = report->n_told = report->n_alarms = 0;
	if (!anyway && memcmp(&report->said, counts, sizeof(*counts)) == 0 &&
	    report->said_received == received)
		return;
	report->said = *counts;
	report->said_received = received;
	send_state(report, counts, n_cached, nets, upstream);
}
