/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/nft_text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/model.h"
#include "dockside/table/nft_script.h"

/* The headers of a packet are all that is wanted of it: IPv6 extension headers and ports fit in. */
#define LOG_SNAPLEN 128

/*
 * All networks share this, which is less than the daemon's socket holds beside refusals; one of them can
 * take no more than a third of it. A reply that was not cut into fragments fits in: resolvers ask for 1232
 * bytes or so.
 */
#define COPY_RATE (3 * LOOKUPS_RATE)
#define COPY_SNAPLEN 1500

/* ------------------------------------------------------------------ rules */

static void text_ct_states(struct buf *b, unsigned states)
{
	static const char *const names[] = { "established", "related", "untracked", "invalid",
					     "new" };
	const char *separator = "ct state ";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(states & 1u << i))
			continue;
		buf_puts(b, separator);
		buf_puts(b, names[i]);
		separator = ",";
	}
}

static void text_prefix(struct buf *b, const char *field, const struct prefix *prefix)
{
	char s[ADDR_STRLEN];

	buf_puts(b, prefix->addr.family == FAMILY_IPV4 ? "ip " : "ip6 ");
	buf_puts(b, field);
	buf_putc(b, ' ');
	buf_puts(b, prefix_is_address(prefix) ? ipaddr_format(&prefix->addr, s)
					      : prefix_format(prefix, s));
}

static void text_icmp(struct buf *b, const struct match *match)
{
	bool v4 = match->u.icmp.family == FAMILY_IPV4;
	const char *name = v4 ? "icmp" : "icmpv6";

	if (match->u.icmp.type == (v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST))
		buf_printf(b, "%s type echo-request", name);
	else
		buf_printf(b, "%s type %u", name, match->u.icmp.type);
	if (match->u.icmp.has_code)
		buf_printf(b, " %s code %u", name, match->u.icmp.code);
}

static const char *protocol_name(uint16_t protocol)
{
	switch (protocol) {
	case ETHERTYPE_IP:
		return "ip";
	case ETHERTYPE_IPV6:
		return "ip6";
	case ETHERTYPE_ARP:
		return "arp";
	default:
		abort();
	}
}

/* The target of a neighbour advertisement, all of it and its first bits. */
#define ND_TARGET "@th,64,128"
#define ND_TARGET_BITS "@th,64,%u %s"

static const char *const field_texts[] = {
	[FIELD_ETHER_SADDR] = "ether saddr",
	[FIELD_ETHER_DADDR] = "ether daddr",
	[FIELD_ARP_SENDER_MAC] = "arp saddr ether",
	[FIELD_ARP_SENDER] = "arp saddr ip",
	[FIELD_ARP_TARGET] = "arp daddr ip",
	[FIELD_SADDR] = "ip saddr",
	[FIELD_SADDR6] = "ip6 saddr",
	[FIELD_DADDR] = "ip daddr",
	[FIELD_DADDR6] = "ip6 daddr",
	[FIELD_ND_TARGET] = ND_TARGET,
};
static_assert(ARRAY_SIZE(field_texts) == FIELD_ND_TARGET + 1, "a text for each field");

static const char *const ports[] = { "", "iifname . ", "oifname . " };

static void text_field_set(struct buf *b, const struct match *match)
{
	const char *mac = "";

	if (set_type_has_mac_and_ip(match->u.field_set.set->type))
		mac = match->u.field_set.port == PORT_IN ? "ether saddr . " : "ether daddr . ";
	buf_printf(b, "%s%s%s %s@%s", ports[match->u.field_set.port], mac,
		   field_texts[match->u.field_set.field], match->negated ? "!= " : "",
		   match->u.field_set.set->name);
}

/* nft asks for UDP before it reads its header, unless that is named as bits. */
static void text_udp_ports(struct buf *b, const struct match *match)
{
	unsigned source = match->u.udp_ports.source, destination = match->u.udp_ports.destination;

	if (match->negated)
		buf_printf(b, "@th,0,32 != 0x%04x%04x", source, destination);
	else
		buf_printf(b, "udp sport %u udp dport %u", source, destination);
}

static void text_field_prefix(struct buf *b, const struct match *match)
{
	const struct prefix *prefix = &match->u.field_prefix.prefix;
	const char *not_equal = match->negated ? "!= " : "";
	char s[ADDR_STRLEN];

	if (match->u.field_prefix.field == FIELD_ND_TARGET) {
		buf_printf(b, ND_TARGET_BITS, prefix->len, not_equal);
		text_number(b, prefix->addr.b, prefix->len);
		return;
	}
	buf_printf(b, "%s %s%s", field_texts[match->u.field_prefix.field], not_equal,
		   prefix_is_address(prefix) ? ipaddr_format(&prefix->addr, s)
					     : prefix_format(prefix, s));
}

static const char *const fib_types[] = {
	[FIB_UNICAST] = "unicast",
	[FIB_LOCAL] = "local",
	[FIB_ANYCAST] = "anycast",
};
static_assert(ARRAY_SIZE(fib_types) == FIB_ANYCAST + 1, "a word for each kind of route");

static void text_match(struct buf *b, const struct match *match)
{
	char s[ADDR_STRLEN];

	switch (match->kind) {
	case MATCH_OIFNAME:
		buf_puts(b, "oifname \"");
		buf_puts(b, match->u.name);
		buf_putc(b, '"');
		break;
	case MATCH_OIFNAME_SET:
		buf_printf(b, "oifname @%s", match->u.set->name);
		break;
	case MATCH_IIFNAME_SET:
		buf_printf(b, "iifname %s@%s", match->negated ? "!= " : "", match->u.set->name);
		break;
	case MATCH_IIF_BRIDGE:
		buf_puts(b, "meta iifkind \"bridge\"");
		break;
	case MATCH_DNS_REPLY:
		buf_puts(b, "udp sport 53 ct direction reply");
		break;
	case MATCH_CT_STATE:
		text_ct_states(b, match->u.ct_states);
		break;
	case MATCH_NFPROTO:
		buf_puts(b, match->u.family == FAMILY_IPV4 ? "meta nfproto ipv4"
							   : "meta nfproto ipv6");
		break;
	case MATCH_SADDR:
		text_prefix(b, match->negated ? "saddr !=" : "saddr", &match->u.prefix);
		break;
	case MATCH_DADDR:
		text_prefix(b, match->negated ? "daddr !=" : "daddr", &match->u.prefix);
		break;
	case MATCH_SADDR_RANGE:
		buf_puts(b,
			 match->u.range.first.family == FAMILY_IPV4 ? "ip saddr " : "ip6 saddr ");
		buf_puts(b, ipaddr_format(&match->u.range.first, s));
		buf_putc(b, '-');
		buf_puts(b, ipaddr_format(&match->u.range.last, s));
		break;
	case MATCH_SADDR_SET:
		buf_puts(b, match->u.set->type == SET_IPV4 ? "ip saddr @" : "ip6 saddr @");
		buf_puts(b, match->u.set->name);
		break;
	case MATCH_SOURCE_ROUTE:
		buf_puts(b, "fib saddr type unicast fib saddr . iif oif exists");
		break;
	case MATCH_DADDR_SET:
		buf_puts(b, match->u.set->type == SET_IPV4 ? "ip daddr @" : "ip6 daddr @");
		buf_puts(b, match->u.set->name);
		break;
	case MATCH_ETHER_SADDR:
		buf_puts(b, "ether saddr ");
		buf_puts(b, mac_format(match->u.mac, s));
		break;
	case MATCH_RESERVED_MAC:
		buf_puts(b, "meta pkttype multicast "
			    "ether daddr 01:80:c2:00:00:00-01:80:c2:00:00:0f");
		break;
	case MATCH_L4PROTO:
		buf_puts(b, match->negated ? "meta l4proto != " : "meta l4proto ");
		buf_puts(b, l4proto_name(match->u.l4proto));
		break;
	case MATCH_DPORT:
		buf_puts(b, l4proto_name(match->u.dport.l4proto));
		buf_puts(b, " dport ");
		portrange_put(b, &match->u.dport.range);
		break;
	case MATCH_DPORT_SET:
		buf_puts(b, l4proto_name(match->u.dport_set.l4proto));
		buf_puts(b, " dport @");
		buf_puts(b, match->u.dport_set.set->name);
		break;
	case MATCH_ICMP:
		text_icmp(b, match);
		break;
	case MATCH_MARK:
		buf_printf(b, "meta mark & 0x%08x == 0x%08x", match->u.mark, match->u.mark);
		break;
	case MATCH_PROTOCOL:
		buf_printf(b, "meta protocol %s%s", match->negated ? "!= " : "",
			   protocol_name(match->u.protocol));
		break;
	case MATCH_FIELD_SET:
		text_field_set(b, match);
		break;
	case MATCH_FIELD_PREFIX:
		text_field_prefix(b, match);
		break;
	case MATCH_UDP_PORTS:
		text_udp_ports(b, match);
		break;
	case MATCH_FRAGMENT:
		buf_puts(b, "exthdr frag exists");
		break;
	case MATCH_TRANSPORT_PORT:
		buf_printf(b, "th dport %u", match->u.port);
		break;
	case MATCH_UDP_SPORT:
		buf_printf(b, "udp sport %u", match->u.port);
		break;
	case MATCH_SKUID:
		buf_printf(b, "meta skuid %u", match->u.uid);
		break;
	case MATCH_CT_DNAT:
		buf_puts(b, "ct status dnat");
		break;
	case MATCH_FIB:
		buf_printf(b, "fib %s type %s%s", match->u.fib.source ? "saddr" : "daddr",
			   match->negated ? "!= " : "", fib_types[match->u.fib.type]);
		break;
	case MATCH_UNICAST:
		buf_puts(b, "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00");
		break;
	}
}

/* Word by word: there is one before each rule that refuses. */
static void text_log(struct buf *b, const struct plan_rule *rule)
{
	buf_puts(b, "counter name \"");
	buf_puts(b, rule->tally->name);
	buf_puts(b, "\" limit name \"");
	buf_puts(b, rule->limit->name);
	buf_puts(b, "\" log prefix \"");
	buf_puts(b, rule->log);
	buf_puts(b, "\" group ");
	buf_uint(b, rule->log_group);
	buf_puts(b, " snaplen ");
	buf_uint(b, LOG_SNAPLEN);
}

static void text_verdict(struct buf *b, const struct plan_rule *rule)
{
	switch (rule->verdict) {
	case VERDICT_ACCEPT:
		buf_puts(b, "accept");
		break;
	case VERDICT_DROP:
		buf_puts(b, "drop");
		break;
	case VERDICT_RESET:
		buf_puts(b, "reject with tcp reset");
		break;
	case VERDICT_PROHIBIT:
		buf_puts(b, "reject with icmp type admin-prohibited");
		break;
	case VERDICT_REDIRECT:
		buf_printf(b, "redirect to :%u", rule->redirect_port);
		break;
	case VERDICT_GOTO:
		buf_puts(b, "goto ");
		buf_puts(b, rule->target);
		break;
	case VERDICT_VMAP:
		buf_printf(b, "%s vmap @%s",
			   rule->set->type == MAP_TELL ? "udp dport"
			   : rule->outgoing	       ? "oifname"
						       : "iifname",
			   rule->set->name);
		break;
	case VERDICT_DNAT:
		buf_printf(b, "dnat %s to meta l4proto . th dport map @%s",
			   rule->set->type == MAP_NAT4 ? "ip" : "ip6", rule->set->name);
		break;
	case VERDICT_CONTINUE:
		buf_puts(b, "continue");
		break;
	case VERDICT_LOG:
		text_log(b, rule);
		break;
	case VERDICT_COPY:
		buf_printf(b,
			   "limit rate %d/second burst %d packets log prefix \"%s\" group %u "
			   "snaplen %d",
			   COPY_RATE, COPY_RATE, rule->log, rule->log_group, COPY_SNAPLEN);
		break;
	}
}

static void text_update(struct buf *b, const struct set_update *update)
{
	if (update->kind == UPDATE_NONE)
		return;
	buf_printf(b, "%s @%s { %s%s", update->kind == UPDATE_PUT ? "update" : "delete",
		   update->set->name, ports[update->port], field_texts[update->field]);
	if (update->kind == UPDATE_PUT)
		buf_printf(b, " timeout %us", update->life_s);
	buf_puts(b, " } ");
}

void nft_text_rule(struct buf *b, const struct plan_rule *rule)
{
	for (size_t i = 0; i < rule->n_matches; i++) {
		text_match(b, &rule->matches[i]);
		buf_putc(b, ' ');
	}
	if (rule->mark)
		buf_printf(b, "meta mark set meta mark | 0x%08x ", rule->mark);
	if (rule->unmark)
		buf_printf(b, "meta mark set meta mark & 0x%08x ", ~rule->unmark);
	if (rule->mark_tag)
		buf_puts(b, "meta mark set @th,64,32 ");
	text_update(b, &rule->update);
	if (rule->tags)
		buf_printf(b, "add @%s { meta mark } ", rule->tags->name);
	if (rule->counter)
		buf_puts(b, "counter ");
	if (rule->judged)
		buf_printf(b, "ct label set %d ", JUDGED_LABEL);
	text_verdict(b, rule);
	if (rule->comment)
		buf_putc(b, ' ');
	text_comment(b, rule->comment);
}

void nft_text_hash(struct plan *plan)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < plan->n_chains; i++) {
		struct plan_chain *chain = plan->chains[i];

		buf_reset(&b);
		for (size_t k = 0; k < chain->n_rules; k++) {
			nft_text_rule(&b, &chain->rules[k]);
			buf_putc(&b, '\n');
		}
		chain->hash = hash64(HASH_SEED, buf_str(&b), b.len);
	}
	buf_free(&b);
}

/* ------------------------------------------------------------------ scripts */

void script_line(struct script *script, const struct origin *origin)
{
	buf_putc(&script->text, '\n');
	script->lines = array_grow(script->lines, &script->cap_lines, script->n_lines,
				   sizeof(struct origin *));
	script->lines[script->n_lines++] = origin;
}

const struct origin *script_origin(const struct script *script, size_t line)
{
	return line > 0 && line <= script->n_lines ? script->lines[line - 1] : NULL;
}

void script_free(struct script *script)
{
	buf_free(&script->text);
	free(script->lines);
	*script = (struct script){ 0 };
}

const char *text_base_chain(enum base_hook hook)
{
	switch (hook) {
	case BASE_NONE:
		return NULL;
	case BASE_FORWARD:
		return "type filter hook forward priority filter - 1; policy accept;";
	case BASE_INPUT:
		return "type filter hook input priority filter - 1; policy accept;";
	case BASE_PREROUTING_NAT:
		return "type nat hook prerouting priority dstnat + 1; policy accept;";
	case BASE_PREROUTING_RAW:
		return "type filter hook prerouting priority -450; policy accept;";
	case BASE_FORWARD_END:
		return "type filter hook forward priority filter + 1; policy accept;";
	case BASE_OUTPUT:
		return "type filter hook output priority filter - 1; policy accept;";
	case BASE_PREROUTING_DNS:
		return "type nat hook prerouting priority dstnat - 1; policy accept;";
	case BASE_OUTPUT_TOLD:
		return "type filter hook output priority raw - 1; policy accept;";
	case BASE_BIND:
		return "type filter hook prerouting priority -310; policy accept;";
	case BASE_BIND_OUTPUT:
		return "type filter hook output priority -310; policy accept;";
	case BASE_BIND_TO:
		return "type filter hook forward priority -310; policy accept;";
	}
	abort();
}

const char *text_set_word(const struct plan_set *set)
{
	return set_type_is_map(set->type) ? "map" : "set";
}

const char *text_object_word(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_COUNTER:
		return "counter";
	case OBJECT_LIMIT:
		return "limit";
	}
	abort();
}

/* A counter that is there keeps what it has counted. */
void text_object_spec(struct buf *b, enum object_kind kind)
{
	switch (kind) {
	case OBJECT_COUNTER:
		buf_puts(b, "{ }");
		return;
	case OBJECT_LIMIT:
		buf_printf(b, "{ rate %d/second burst %d packets; }", PLAN_LOG_RATE,
			   PLAN_LOG_BURST);
		return;
	}
	abort();
}

static const char *set_flags(const struct plan_set *set)
{
	assert(!set->interval || !set->timeout);
	if (set->dynamic)
		return set->timeout ? "dynamic,timeout" : "dynamic";
	return set->interval ? "interval" : set->timeout ? "timeout" : NULL;
}

void text_set_spec(struct buf *b, const struct plan_set *set)
{
	buf_puts(b, set_type_info(set->type)->nft);
	if (set->size > 0)
		buf_printf(b, "; size %u", set->size);
	if (set_flags(set))
		buf_printf(b, "; flags %s", set_flags(set));
	if (set->counter)
		buf_puts(b, "; counter");
	if (set->limit)
		buf_printf(b, "; limit rate %d/second burst %d packets", LOOKUPS_RATE,
			   LOOKUPS_BURST);
	if (set->comment) {
		buf_puts(b, "; ");
		text_comment(b, set->comment);
	}
}
