/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/denied.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/sorted.h"
#include "dockside/base/util.h"

/* ------------------------------------------------------------------ which rule */

/* Takes a part that ends at a slash. */
static bool take_part(const char **p, char *ret, size_t size)
{
	size_t len = strcspn(*p, "/");

	if (len == 0 || len >= size || (*p)[len] != '/')
		return false;
	memcpy(ret, *p, len);
	ret[len] = '\0';
	*p += len + 1;
	return true;
}

bool denied_prefix_parse(const char *prefix, struct denied_prefix *ret_prefix)
{
	static const char head[] = "dsfw/";
	struct denied_prefix parsed = { .bridge = "" };
	const char *p = prefix + sizeof(head) - 1;

	if (strncmp(prefix, head, sizeof(head) - 1) != 0 ||
	    !take_part(&p, parsed.bridge, sizeof(parsed.bridge)) ||
	    !take_part(&p, parsed.kind, sizeof(parsed.kind)) ||
	    !take_part(&p, parsed.number, sizeof(parsed.number)))
		return false;
	if (strcmp(parsed.bridge, LOG_NO_BRIDGE) == 0) {
		parsed.bridge[0] = '\0';
		parsed.table = TABLE_BRIDGE;
	}
	*ret_prefix = parsed;
	return true;
}

static const struct plan_rule *find_in_chain(const struct plan_chain *chain, const char *prefix)
{
	for (size_t i = 0; chain && i + 1 < chain->n_rules; i++)
		if (chain->rules[i].verdict == VERDICT_LOG &&
		    strcmp(chain->rules[i].log, prefix) == 0)
			return &chain->rules[i + 1];
	return NULL;
}

/* The names of a network's chains begin with its own name, not with the bridge's. */
static bool may_have(const struct plan_chain *chain, const struct denied_prefix *parsed)
{
	if (!parsed->bridge[0] || !chain->bridge)
		return !parsed->bridge[0] && !chain->bridge;
	return strcmp(chain->kind, parsed->kind) == 0 && strcmp(chain->bridge, parsed->bridge) == 0;
}

const struct plan_rule *denied_find_rule(const struct plan *plan, const char *prefix,
					 const struct denied_prefix *parsed)
{
	const struct plan_rule *found = NULL;

	for (size_t i = 0; !found && i < plan->n_chains; i++)
		if (may_have(plan->chains[i], parsed))
			found = find_in_chain(plan->chains[i], prefix);
	return found;
}

static bool match_field(const struct match *match, enum frame_field *ret_field)
{
	if (match->kind == MATCH_FIELD_SET)
		*ret_field = match->u.field_set.field;
	else if (match->kind == MATCH_FIELD_PREFIX)
		*ret_field = match->u.field_prefix.field;
	else if (match->kind == MATCH_ICMP && match->u.icmp.type == ND_NEIGHBOR_ADVERT)
		*ret_field = FIELD_ND_TARGET;
	else
		return false;
	return true;
}

bool denied_is_to(const char *kind)
{
	return strcmp(kind, "BINDTO") == 0 || strcmp(kind, "UNBOUNDTO") == 0;
}

bool denied_rule_field(const struct plan_rule *rule, const char *kind, enum frame_field *ret_field)
{
	for (size_t i = 0; i < rule->n_matches; i++)
		if (match_field(&rule->matches[i], ret_field))
			return true;
	/* The last rule of a chain, and the last one about ARP, refuse what the others have left. */
	if (rule->n_matches == 0) {
		*ret_field = denied_is_to(kind) ? FIELD_DADDR : FIELD_SADDR;
		return true;
	}
	if (rule->n_matches == 1 && rule->matches[0].kind == MATCH_PROTOCOL &&
	    !rule->matches[0].negated && rule->matches[0].u.protocol == ETHERTYPE_ARP) {
		*ret_field = FIELD_ARP_SENDER;
		return true;
	}
	return false;
}

static bool has_purpose(const struct rule *rules, size_t n, const struct loc *loc)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i].loc.src == loc->src && rules[i].loc.off == loc->off)
			return rule_drops_on_purpose(&rules[i]);
	return false;
}

bool denied_on_purpose(const struct policy *policy, const struct origin *origin)
{
	for (size_t i = 0; origin->loc.src && i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (has_purpose(network->egress, network->n_egress, &origin->loc) ||
		    has_purpose(network->host_rules, network->n_host_rules, &origin->loc))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ events */

static void put_time(struct json_writer *out, uint64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	char date[64] = "", text[80];
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned)(time_ms % 1000));
	json_write_string(out, "time", text);
	json_write_int(out, "time_ms", (int64_t)time_ms);
}

static bool is_ip(const struct denied_frame *frame)
{
	return frame->has_addrs &&
	       (frame->protocol == ETHERTYPE_IP || frame->protocol == ETHERTYPE_IPV6);
}

static void put_protocol(struct json_writer *out, const struct denied_event *event)
{
	const char *name = l4proto_name(event->l4proto);
	char number[8];

	snprintf(number, sizeof(number), "%u", event->l4proto);
	if (event->frame && !is_ip(event->frame)) {
		name = event->frame->protocol == ETHERTYPE_ARP ? "arp" : NULL;
		snprintf(number, sizeof(number), "0x%04x", event->frame->protocol);
	}
	if (event->question)
		name = "dns";
	json_write_string(out, "protocol", name ? name : number);
}

static void put_addrs(struct json_writer *out, const struct denied_event *event)
{
	bool none = event->frame && !event->frame->has_addrs;
	char text[ADDR_STRLEN];

	json_write_string(out, "source", none ? NULL : ipaddr_format(&event->src, text));
	none |= event->question != NULL;
	json_write_string(out, "destination", none ? NULL : ipaddr_format(&event->dst, text));
}

/* NULL: the rule is about no field, or the frame does not have it. */
static const char *pretended(const struct denied_event *event, char text[ADDR_STRLEN])
{
	const struct denied_frame *frame = event->frame;

	if (!frame->has_field)
		return NULL;
	switch (frame->field) {
	case FIELD_ETHER_SADDR:
		return frame->has_macs ? mac_format(frame->src, text) : NULL;
	case FIELD_ETHER_DADDR:
		return frame->has_macs ? mac_format(frame->dst, text) : NULL;
	case FIELD_ARP_SENDER_MAC:
		return frame->has_sender ? mac_format(frame->sender, text) : NULL;
	case FIELD_ARP_SENDER:
	case FIELD_SADDR:
	case FIELD_SADDR6:
		return frame->has_addrs ? ipaddr_format(&event->src, text) : NULL;
	case FIELD_ARP_TARGET:
	case FIELD_DADDR:
	case FIELD_DADDR6:
		return frame->has_addrs ? ipaddr_format(&event->dst, text) : NULL;
	case FIELD_ND_TARGET:
		return frame->has_target ? ipaddr_format(&frame->target, text) : NULL;
	}
	abort();
}

static void put_frame(struct json_writer *out, const struct denied_event *event)
{
	const struct denied_frame *frame = event->frame;
	char text[ADDR_STRLEN];

	json_write_string(out, "interface", frame->port);
	if (denied_is_to(event->kind)) {
		json_write_string(out, "to_interface", frame->to_port);
		json_write_string(out, "to_container", frame->to_container);
	}
	json_write_string(out, "source_mac", frame->has_macs ? mac_format(frame->src, text) : NULL);
	json_write_string(out, "destination_mac",
			  frame->has_macs ? mac_format(frame->dst, text) : NULL);
	json_write_string(out, "pretended", pretended(event, text));
	json_write_string(out, "reason", frame->reason);
}

static void put_question(struct json_writer *out, const struct denied_dns *question)
{
	json_write_string(out, "query_type", question->type);
	json_write_int(out, "times", (int64_t)question->times);
	json_write_string(out, "reason", question->reason);
}

static void put_rule(struct json_writer *out, const struct denied_event *event)
{
	json_write_string(out, "rule", event->entry);
	json_write_string(out, "file", event->file);
	if (event->file)
		json_write_int(out, "line", event->line);
	else
		json_write_string(out, "line", NULL);
	if (event->on_purpose)
		json_write_bool(out, "on_purpose", true);
}

void denied_event_json(struct buf *b, const struct denied_event *event)
{
	struct json_writer out = { .b = b };

	json_write_open(&out, NULL, '{');
	json_write_int(&out, "seq", (int64_t)event->seq);
	put_time(&out, event->time_ms);
	json_write_string(&out, "verdict", event->audit ? "audit" : "refused");
	json_write_string(&out, "network", event->network);
	json_write_string(&out, "bridge", event->bridge);
	json_write_string(&out, "kind", event->kind);
	json_write_string(&out, "container", event->container);
	put_addrs(&out, event);
	json_write_string(&out, "name", event->name);
	json_write_string(&out, "name_from",
			  !event->name	     ? NULL
			  : event->question  ? "question"
			  : event->looked_up ? "lookup"
					     : "configuration");
	put_protocol(&out, event);
	if (event->has_ports) {
		json_write_int(&out, "source_port", event->sport);
		json_write_int(&out, "port", event->dport);
	}
	if (event->has_icmp) {
		json_write_int(&out, "icmp_type", event->icmp_type);
		json_write_int(&out, "icmp_code", event->icmp_code);
	}
	if (event->frame)
		put_frame(&out, event);
	if (event->question)
		put_question(&out, event->question);
	put_rule(&out, event);
	json_write_close(&out, '}');
}

static int cmp_known(const void *addr, const void *known)
{
	return ipaddr_cmp(addr, &((const struct known_addr *)known)->addr);
}

static bool is_of(const struct ipaddr *addr, const struct name *name)
{
	return name->n_addrs > 0 &&
	       bsearch(addr, name->addrs, name->n_addrs, sizeof(*name->addrs), cmp_known);
}

const char *denied_name(const struct names *names, const char *looked_up, const struct ipaddr *addr,
			bool *ret_looked_up)
{
	const struct name *same = looked_up ? names_find(names, looked_up) : NULL;

	*ret_looked_up = looked_up && !(same && is_of(addr, same));
	if (looked_up)
		return looked_up;
	for (size_t i = 0; i < names->n; i++)
		if (is_of(addr, &names->items[i]))
			return names->items[i].name;
	return NULL;
}

/* ------------------------------------------------------------------ the memory */

static int cmp_network(const void *name, const void *network)
{
	return strcmp(name, (*(struct denied_network *const *)network)->name);
}

/* Finds the place of a network among the sorted ones. */
static size_t find_network(const struct denied_ring *ring, const char *name)
{
	return sorted_before(&SORTED_ARRAY(ring->networks, ring->n_networks), name, cmp_network);
}

/* Made at the first use. */
static struct denied_network *take_network(struct denied_ring *ring, const char *name)
{
	size_t i = find_network(ring, name);

	if (i < ring->n_networks && strcmp(ring->networks[i]->name, name) == 0)
		return ring->networks[i];
	ring->networks = array_grow(ring->networks, &ring->cap_networks, ring->n_networks,
				    sizeof(struct denied_network *));
	memmove(ring->networks + i + 1, ring->networks + i,
		(ring->n_networks - i) * sizeof(struct denied_network *));
	ring->n_networks++;
	ring->networks[i] = xcalloc(1, sizeof(struct denied_network));
	ring->networks[i]->name = xstrdup(name);
	return ring->networks[i];
}

static void drop_network(struct denied_ring *ring, struct denied_network *network)
{
	size_t i = find_network(ring, network->name);

	ring->n_networks--;
	memmove(ring->networks + i, ring->networks + i + 1,
		(ring->n_networks - i) * sizeof(struct denied_network *));
	free(network->name);
	free(network);
}

static void forget_oldest(struct denied_ring *ring, struct denied_network *network)
{
	struct denied_kept *kept = network->oldest;

	*(kept->older ? &kept->older->newer : &ring->oldest) = kept->newer;
	*(kept->newer ? &kept->newer->older : &ring->newest) = kept->older;
	ring->n--;
	network->oldest = kept->next;
	network->n--;
	free(kept->json);
	free(kept->name);
	free(kept);
}

/* For an event of the network, which may be a new one. */
static void make_room(struct denied_ring *ring, struct denied_network *network)
{
	struct denied_network *most = network;

	if (ring->n < DENIED_EVENTS_MAX)
		return;
	for (size_t i = 0; i < ring->n_networks; i++)
		if (ring->networks[i]->n > most->n)
			most = ring->networks[i];
	if (most->n == 1) /* all have one: the oldest */
		most = ring->oldest->network;
	forget_oldest(ring, most);
	if (most->n == 0 && most != network)
		drop_network(ring, most);
}

const char *denied_ring_add(struct denied_ring *ring, struct denied_event *event)
{
	struct denied_kept *kept = xcalloc(1, sizeof(*kept));
	struct denied_network *network = take_network(ring, event->network);
	struct buf b = { 0 };

	make_room(ring, network);
	event->seq = ++ring->n_added;
	denied_event_json(&b, event);
	*kept = (struct denied_kept){ .seq = event->seq,
				      .time_ms = event->time_ms,
				      .older = ring->newest,
				      .network = network,
				      .leaves = strcmp(event->kind, "OUT") == 0,
				      .to_host = strcmp(event->kind, "HOST") == 0,
				      .name = event->name ? xstrdup(event->name) : NULL,
				      .json = buf_steal(&b) };
	kept->what = (struct allowed_packet){
		.dst = event->dst,
		.name = kept->name,
		.l4proto = event->l4proto,
		.port = event->dport,
		.icmp_type = event->icmp_type,
		.icmp_code = event->icmp_code,
	};
	*(ring->newest ? &ring->newest->newer : &ring->oldest) = kept;
	ring->newest = kept;
	ring->n++;
	*(network->n > 0 ? &network->newest->next : &network->oldest) = kept;
	network->newest = kept;
	network->n++;
	return kept->json;
}

void denied_ring_free(struct denied_ring *ring)
{
	while (ring->n_networks > 0) {
		struct denied_network *network = ring->networks[ring->n_networks - 1];

		while (network->n > 0)
			forget_oldest(ring, network);
		drop_network(ring, network);
	}
	free(ring->networks);
	*ring = (struct denied_ring){ 0 };
}

bool denied_ring_knows(const struct denied_ring *ring, const char *network)
{
	for (size_t i = 0; i < ring->n_networks; i++)
		if (strcasecmp(ring->networks[i]->name, network) == 0)
			return true;
	return false;
}

static bool is_asked_for(const struct denied_kept *kept, const struct denied_query *query)
{
	return kept->time_ms >= query->since_ms &&
	       (!query->network || strcasecmp(kept->network->name, query->network) == 0);
}

/* The oldest event after that one. A client that follows is never far behind, so the walk is short. */
static const struct denied_kept *find_after(const struct denied_ring *ring, uint64_t after)
{
	const struct denied_kept *kept = ring->newest, *found = NULL;

	for (; kept && kept->seq > after; kept = kept->older)
		found = kept;
	return found;
}

/* By the policy that runs now: the rule may be younger than the event. */
static bool is_allowed(const struct policy *policy, const struct denied_kept *kept,
		       size_t *ret_index)
{
	const struct network *network =
		policy && kept->leaves ? policy_find_network(policy, kept->network->name, NULL)
				       : NULL;

	/* Without a name, names decide nothing. */
	if (!network || (!kept->name && allowed_by_name(policy, network, &kept->what, ret_index)))
		return false;
	return allowed_now(policy, network, &kept->what, ret_index);
}

static bool is_dropped(const struct policy *policy, const struct denied_kept *kept,
		       size_t *ret_index)
{
	const struct network *network =
		policy && (kept->leaves || kept->to_host)
			? policy_find_network(policy, kept->network->name, NULL)
			: NULL;

	if (!network)
		return false;
	return kept->to_host ? dropped_now(policy, network->host_rules, network->n_host_rules,
					   &kept->what, ret_index)
			     : dropped_now(policy, network->egress, network->n_egress, &kept->what,
					   ret_index);
}

static void put_kept(struct json_writer *out, const struct denied_kept *kept,
		     const struct policy *policy)
{
	cleanup(cleanup_free) char *json = NULL;
	const char *key = NULL;
	size_t index;

	if (is_allowed(policy, kept, &index))
		key = "allowed_by";
	else if (is_dropped(policy, kept, &index))
		key = "dropped_by";
	if (key)
		json = xasprintf("%.*s,\"%s\":\"%s[%zu]\"}", (int)strlen(kept->json) - 1,
				 kept->json, key, kept->to_host ? "host" : "egress", index);
	json_write_text(out, NULL, json ? json : kept->json);
}

void denied_ring_json(const struct denied_ring *ring, const struct denied_query *query,
		      struct json_writer *out)
{
	uint64_t after = query->after < ring->n_added ? query->after : ring->n_added;
	const struct denied_kept *kept = find_after(ring, after);
	size_t start = out->b->len;
	uint64_t next = after, n = 0;

	json_write_open(out, "events", '[');
	for (; kept && out->b->len - start < query->max; kept = kept->newer, n++) {
		if (is_asked_for(kept, query))
			put_kept(out, kept, query->policy);
		next = kept->seq;
	}
	json_write_close(out, ']');
	if (!kept)
		next = ring->n_added;
	json_write_int(out, "next", (int64_t)next);
	json_write_bool(out, "more", kept != NULL);
	json_write_int(out, "missed", (int64_t)(next - after - n));
}

/* ------------------------------------------------------------------ how many there were */

static bool add_tallies(const struct actual *actual, const char *stem, const char *const kinds[],
			size_t n_kinds, uint64_t *packets)
{
	struct arena arena = { 0 };
	bool any = false;

	for (size_t i = 0; i < n_kinds; i++) {
		const struct actual_object *tally = actual_find_object(
			actual, OBJECT_COUNTER, plan_tally_name(&arena, stem, kinds[i]));

		any |= tally != NULL;
		*packets += tally ? tally->packets : 0;
	}
	arena_free(&arena);
	return any;
}

bool denied_packets(const struct actual *actual, const char *stem, uint64_t *ret_packets)
{
	uint64_t packets = 0;
	bool any = add_tallies(actual, stem, judging_kinds, N_JUDGING_KINDS, &packets);

	if (any)
		*ret_packets = packets;
	return any;
}

bool denied_bound_packets(const struct actual *bridge_table, const char *kind,
			  uint64_t *ret_packets)
{
	uint64_t packets = 0;
	bool any = kind ? add_tallies(bridge_table, LOG_NO_BRIDGE, &kind, 1, &packets)
			: add_tallies(bridge_table, LOG_NO_BRIDGE, bound_kinds, N_BOUND_KINDS,
				      &packets);

	if (any)
		*ret_packets = packets;
	return any;
}
