/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/gate_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/names/gate_lists.h"

const char *const gate_count_names[N_GATE_COUNTS] = {
	[GATE_COUNT_QUERIES] = "queries",
	[GATE_COUNT_HITS] = "hits",
	[GATE_COUNT_REFUSED] = "refused",
	[GATE_COUNT_MISSES] = "misses",
	[GATE_COUNT_FAILURES] = "failures",
	[GATE_COUNT_TELLS] = "tells",
	[GATE_COUNT_TELL_FAILURES] = "tell_failures",
	[GATE_COUNT_TCP] = "tcp",
	[GATE_COUNT_LIMITED] = "limited",
	[GATE_COUNT_LOST] = "lost",
	[GATE_COUNT_CACHE] = "cache",
	[GATE_COUNT_LEFT_OUT] = "left_out",
};

const char *const gate_policy_state_names[N_GATE_POLICY_STATES] = {
	[GATE_POLICY_NONE] = "none",
	[GATE_POLICY_GIVEN] = "given",
	[GATE_POLICY_TAKEN] = "taken",
	[GATE_POLICY_REFUSED] = "refused",
};

/* ------------------------------------------------------------------ reports */

static void forget_counts(struct gate_state *s)
{
	for (size_t i = 0; i < s->n_networks; i++)
		s->networks[i] = (struct gate_traffic){ .network = s->networks[i].network };
	s->n_servers = 0;
	s->reported = false;
	memset(s->counts, 0, sizeof(s->counts));
}

static void free_trouble(struct gate_trouble *trouble)
{
	free(trouble->network);
	free(trouble->name);
	free(trouble->why);
}

void gate_state_free(struct gate_state *s)
{
	for (size_t i = 0; i < s->n_networks; i++)
		free(s->networks[i].network);
	free(s->networks);
	free(s->why);
	for (size_t i = 0; i < s->n_troubles; i++)
		free_trouble(&s->troubles[i]);
	*s = (struct gate_state){ 0 };
}

void gate_state_connected(struct gate_state *s, int64_t pid, uint64_t now_ms)
{
	forget_counts(s);
	s->connected = true;
	s->since_ms = now_ms;
	s->pid = pid;
	gate_state_policy(s, GATE_POLICY_NONE, NULL, now_ms);
}

void gate_state_gone(struct gate_state *s, uint64_t now_ms)
{
	forget_counts(s);
	s->connected = false;
	s->since_ms = now_ms;
	gate_state_policy(s, GATE_POLICY_NONE, NULL, now_ms);
}

void gate_state_policy(struct gate_state *s, enum gate_policy_state policy, const char *why,
		       uint64_t now_ms)
{
	char *copy = why ? xstrdup(why) : NULL;

	free(s->why);
	s->why = copy;
	s->policy = policy;
	if (policy == GATE_POLICY_GIVEN)
		s->given_ms = now_ms;
}

static bool read_count(const struct json_node *object, const char *key, uint64_t *ret)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	if (!node || node->u.integer < 0)
		return false;
	*ret = (uint64_t)node->u.integer;
	return true;
}

static void read_servers(struct gate_state *s, const struct json_node *list)
{
	s->n_servers = 0;
	for (size_t i = 0; i < list->u.children.n && s->n_servers < GATE_SERVERS_MAX; i++) {
		const struct json_node *item = &list->u.children.items[i];
		struct gate_server *server = &s->servers[s->n_servers];
		const char *address;
		struct ipaddr addr;

		if (item->kind != JSON_OBJECT)
			continue;
		address = json_text(item, "address", "");
		if (!ipaddr_parse(address, strlen(address), &addr))
			continue;
		ipaddr_format(&addr, server->address);
		server->ok = json_is_true(item, "ok");
		snprintf(server->why, sizeof(server->why), "%s",
			 server->ok ? "" : json_text(item, "why", "no reason given"));
		s->n_servers++;
	}
}

static int cmp_network(const void *name, const void *traffic)
{
	return strcmp(name, ((const struct gate_traffic *)traffic)->network);
}

static struct gate_traffic *find_network(const struct gate_state *s, const char *name)
{
	return s->n_networks == 0 ? NULL
				  : bsearch(name, s->networks, s->n_networks, sizeof(*s->networks),
					    cmp_network);
}

static int cmp_traffic(const void *a, const void *b)
{
	return cmp_network(((const struct gate_traffic *)a)->network, b);
}

void gate_state_follow(struct gate_state *s, const struct policy *policy)
{
	struct gate_traffic *networks = xcalloc(policy->n_networks + 1, sizeof(*networks));
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];
		const struct gate_traffic *known = find_network(s, network->name);

		if (!network->dns.gated)
			continue;
		if (known)
			networks[n] = *known;
		networks[n++].network = xstrdup(network->name);
	}
	qsort(networks, n, sizeof(*networks), cmp_traffic);
	for (size_t i = 0; i < s->n_networks; i++)
		free(s->networks[i].network);
	free(s->networks);
	s->networks = networks;
	s->n_networks = n;
}

void gate_state_read(struct gate_state *s, const struct json_node *message)
{
	const struct json_node *servers = json_member(message, "upstream", JSON_ARRAY);
	const struct json_node *networks = json_member(message, "networks", JSON_OBJECT);

	for (int i = 0; i < N_GATE_COUNTS; i++)
		s->reported |= read_count(message, gate_count_names[i], &s->counts[i]);
	if (servers)
		read_servers(s, servers);
	for (size_t i = 0; networks && i < networks->u.children.n; i++) {
		const struct json_node *item = &networks->u.children.items[i];
		struct gate_traffic *traffic =
			item->kind == JSON_OBJECT ? find_network(s, item->key) : NULL;

		if (!traffic)
			continue;
		read_count(item, "received", &traffic->received);
		read_count(item, "refused", &traffic->refused);
	}
}

/* ------------------------------------------------------------------ troubles */

static void forget_troubles(struct gate_state *s, uint64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_troubles; i++) {
		if (s->troubles[i].at_ms + GATE_TROUBLE_MS <= now_ms)
			free_trouble(&s->troubles[i]);
		else
			s->troubles[kept++] = s->troubles[i];
	}
	s->n_troubles = kept;
}

bool gate_state_trouble(struct gate_state *s, const char *network, const char *name,
			const char *why, uint64_t now_ms)
{
	forget_troubles(s, now_ms);
	for (size_t i = 0; i < s->n_troubles; i++) {
		struct gate_trouble *trouble = &s->troubles[i];

		if (strcmp(trouble->network, network) == 0 && strcmp(trouble->name, name) == 0 &&
		    strcmp(trouble->why, why) == 0) {
			trouble->at_ms = now_ms;
			return false;
		}
	}
	if (s->n_troubles == GATE_TROUBLES_MAX)
		return false;
	s->troubles[s->n_troubles++] =
		(struct gate_trouble){ xstrdup(network), xstrdup(name), xstrdup(why), now_ms };
	return true;
}

/* ------------------------------------------------------------------ the policy's part */

bool gate_redirected(const struct plan *plan, const struct actual *actual, const char *stem,
		     uint64_t *ret_n)
{
	struct arena arena = { 0 };
	const char *name = plan_chain_name(&arena, stem, "GATE");
	const struct plan_chain *chain = plan_find_chain(plan, name);
	const struct actual_chain *have = actual_find_chain(actual, name);

	*ret_n = 0;
	for (size_t i = 0; chain && have && i < chain->n_rules && i < have->n_rules; i++)
		if (chain->rules[i].verdict == VERDICT_REDIRECT)
			*ret_n += have->rules[i].packets;
	arena_free(&arena);
	return chain && have;
}

const char **gate_chains(const struct policy *policy, struct arena *arena, size_t *ret_n)
{
	const char **names = arena_alloc(arena, (policy->n_networks + 1) * sizeof(*names));

	*ret_n = 0;
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated)
			names[(*ret_n)++] =
				plan_chain_name(arena, policy->networks[i].stem, "GATE");
	return names;
}

/* Fewer may be on their way, or be repeats of which conntrack knows no connection. */
#define MISSING_MIN 3

static bool look_at(struct gate_traffic *traffic, uint64_t redirected, uint64_t now_ms)
{
	bool arrived = !traffic->looked || traffic->received != traffic->seen_received;

	/* Rules that were written anew count from 0. */
	if (arrived || redirected < traffic->before) {
		traffic->before = redirected;
		traffic->seen_received = traffic->received;
		traffic->looked = true;
		traffic->missing = false;
	} else if (!traffic->missing && redirected - traffic->before >= MISSING_MIN) {
		traffic->missing = true;
		traffic->missing_ms = now_ms;
	}
	return traffic->missing;
}

bool gate_state_look(struct gate_state *s, const struct policy *policy, const struct plan *plan,
		     const struct actual *actual, uint64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];
		struct gate_traffic *traffic;
		uint64_t n;

		if (!network->dns.gated || !gate_redirected(plan, actual, network->stem, &n))
			continue;
		traffic = find_network(s, network->name);
		any |= traffic && look_at(traffic, n, now_ms);
	}
	return any;
}

/* ------------------------------------------------------------------ alarms */

struct alarms {
	alarm_fn fn;
	void *data;
	size_t n;
};

static void alarm_of(struct alarms *a, char *text)
{
	a->n++;
	if (a->fn)
		a->fn(a->data, text);
	free(text);
}

/* The networks whose containers ask the gate; the caller frees it. */
static char *gated_networks(const struct policy *policy)
{
	struct buf b = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated && n++ < 3)
			buf_printf(&b, "%s%s", n > 1 ? ", " : "", policy->networks[i].name);
	if (n > 3)
		buf_printf(&b, " and %zu more", n - 3);
	return buf_steal(&b);
}

static void tell_absence(const struct gate_view *v, struct alarms *a)
{
	const struct gate_state *s = v->state;
	cleanup(cleanup_free) char *networks = gated_networks(v->policy);

	if (!s->listens)
		alarm_of(a, xasprintf("the DNS gate gets no policy, as the daemon has no "
				      "--gate-socket: no new name is answered in %s; start the "
				      "daemon with --gate-socket /run/dockside/gate.sock",
				      networks));
	else if (!s->connected && v->now_ms >= s->since_ms + GATE_PATIENCE_MS)
		alarm_of(a, xasprintf("the DNS gate is not connected: unless it runs with an older "
				      "policy, no name is answered in %s; "
				      "\"systemctl start dsfw-nft-gate\" starts it, and its log "
				      "says why it has stopped",
				      networks));
}

static void tell_policy(const struct gate_view *v, struct alarms *a)
{
	const struct gate_state *s = v->state;

	if (s->connected && s->policy == GATE_POLICY_REFUSED)
		alarm_of(a, xasprintf("the DNS gate does not take the policy, and goes on with the "
				      "last one, whose names it opens: %s",
				      s->why ? s->why : "it does not say why"));
	else if (s->connected && s->policy == GATE_POLICY_GIVEN &&
		 v->now_ms >= s->given_ms + GATE_PATIENCE_MS)
		alarm_of(a, xstrdup("the DNS gate does not answer: it was given the policy, and "
				    "has not said that it takes it"));
}

static void tell_servers(const struct gate_view *v, struct alarms *a)
{
	const struct gate_state *s = v->state;
	struct buf b = { 0 };

	for (size_t i = 0; i < s->n_servers; i++) {
		if (s->servers[i].ok) {
			buf_free(&b);
			return;
		}
		buf_printf(&b, "%s%s (%s)", i > 0 ? ", " : "", s->servers[i].address,
			   s->servers[i].why);
	}
	if (s->n_servers > 0)
		alarm_of(a, xasprintf("no name server answers the DNS gate: %s", buf_str(&b)));
	else if (s->reported && s->policy == GATE_POLICY_TAKEN &&
		 v->now_ms >= s->given_ms + GATE_SERVERS_MS)
		alarm_of(a, xstrdup("the DNS gate has no name server to ask, and answers no name: "
				    "give a network's \"dns\" an \"upstream\", or the host's "
				    "resolv.conf a name server without a zone"));
	buf_free(&b);
}

static void tell_missing(const struct gate_view *v, const struct network *network, struct alarms *a)
{
	const struct gate_traffic *traffic = find_network(v->state, network->name);

	if (!network->dns.gated || !traffic || !traffic->missing ||
	    v->now_ms < traffic->missing_ms + GATE_MISSING_MS)
		return;
	alarm_of(a, xasprintf("DNS of network %s does not reach the gate: a rule of another table "
			      "drops UDP and TCP port 5300; let it accept them; as a rule of "
			      "nft: iifname \"%s\" meta l4proto { tcp, udp } th dport 5300 accept; "
			      "with ufw: ufw allow in on %s to any port 5300",
			      network->name, network->bridge, network->bridge));
}

size_t gate_alarms(const struct gate_view *v, alarm_fn on_alarm, void *data)
{
	struct alarms a = { .fn = on_alarm, .data = data };
	const struct gate_state *s = v->state;

	if (!gate_wanted(v->policy))
		return 0;
	tell_absence(v, &a);
	tell_policy(v, &a);
	if (s->held)
		alarm_of(&a, xasprintf("addresses of names that are gone may still be open, as the "
				       "DNS gate's sets cannot be emptied: %s; trying again",
				       s->held));
	tell_servers(v, &a);
	for (size_t i = 0; s->connected && i < v->policy->n_networks; i++)
		tell_missing(v, &v->policy->networks[i], &a);
	for (size_t i = 0; i < s->n_troubles; i++)
		if (s->troubles[i].at_ms + GATE_TROUBLE_MS > v->now_ms)
			alarm_of(&a, xasprintf("the DNS gate, network %s, name %s: %s",
					       s->troubles[i].network, s->troubles[i].name,
					       s->troubles[i].why));
	return a.n;
}

/* ------------------------------------------------------------------ status */

static void put_servers(const struct gate_state *s, struct json_writer *out)
{
	json_write_open(out, "upstream", '[');
	for (size_t i = 0; i < s->n_servers; i++) {
		json_write_open(out, NULL, '{');
		json_write_string(out, "address", s->servers[i].address);
		json_write_bool(out, "ok", s->servers[i].ok);
		json_write_string(out, "message", s->servers[i].ok ? NULL : s->servers[i].why);
		json_write_close(out, '}');
	}
	json_write_close(out, ']');
}

static void put_network(const struct gate_view *v, const struct network *network,
			struct json_writer *out)
{
	const struct gate_traffic *traffic = find_network(v->state, network->name);
	uint64_t redirected;

	json_write_open(out, network->name, '{');
	if (v->actual && gate_redirected(v->plan, v->actual, network->stem, &redirected))
		json_write_int(out, "redirected", (int64_t)redirected);
	else
		json_write_string(out, "redirected", NULL);
	json_write_int(out, "received", traffic ? (int64_t)traffic->received : 0);
	json_write_int(out, "refused", traffic ? (int64_t)traffic->refused : 0);
	json_write_close(out, '}');
}

#define NETWORKS_ROOM (64u << 10) /* bytes of JSON about them */

void gate_state_json(const struct gate_view *v, struct json_writer *out)
{
	const struct gate_state *s = v->state;
	size_t limit;

	json_write_open(out, "gate", '{');
	json_write_bool(out, "wanted", gate_wanted(v->policy));
	json_write_bool(out, "socket", s->listens);
	json_write_bool(out, "connected", s->connected);
	if (s->connected)
		json_write_int(out, "pid", s->pid);
	else
		json_write_string(out, "pid", NULL);
	json_write_string(out, "policy", gate_policy_state_names[s->policy]);
	json_write_string(out, "message", s->why);
	for (int i = 0; s->reported && i < N_GATE_COUNTS; i++)
		json_write_int(out, gate_count_names[i], (int64_t)s->counts[i]);
	put_servers(s, out);
	json_write_open(out, "networks", '{');
	limit = out->b->len + NETWORKS_ROOM;
	for (size_t i = 0; i < v->policy->n_networks && out->b->len < limit; i++)
		if (v->policy->networks[i].dns.gated)
			put_network(v, &v->policy->networks[i], out);
	json_write_close(out, '}');
	json_write_close(out, '}');
}
