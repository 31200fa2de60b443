/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refused packets become events: this is a bounded memory of them, and their text. An event in
 * JSON, on one line; unknown members are null, and members that a protocol does not have are
 * absent:
 *
 * {"seq": 17,                        counts events since the daemon's start
 *  "time": "2026-01-02T03:04:05.678Z",
 *  "time_ms": 1767323045678,         since 1970
 *  "verdict": "refused",             or "audit": it passed, as the network is in audit mode
 *  "network": "ds-prod",             Docker's name, or the bridge's for one that is no longer configured
 *  "bridge": "ds-prod",
 *  "kind": "OUT",                    or "ING", between containers; "HOST", to the Docker host itself;
 *                                    "SRC", a source that is not of the bridge, or the host's loopback; "BIND", a
 *                                    source that is not the container's, or of a port whose container is not known
 *                                    "UNBOUND"; "strange", a source that is another container's; "BINDTO" and
 *                                    "UNBOUNDTO", a destination that is not the container's
 *  "container": "web-1",
 *  "source": "192.0.2.10", "destination": "198.51.100.7",
 *  "name": "db.example.com",         that the address is one of
 *  "name_from": "configuration",     by what DNS told the daemon; "lookup": by what the network's
 *                                    containers were told, whoever it was that they asked
 *  "protocol": "tcp",                "udp", "icmp", …, or a number as text
 *  "source_port": 40000, "port": 443,    of protocols that have ports
 *  "icmp_type": 8, "icmp_code": 0,       of ICMP
 *  "rule": "egress[3]",              null: an older rule, no longer in force; "-" is in no file
 *  "file": "/etc/…", "line": 12,         where the rule is; null
 *  "on_purpose": true,                   the rule says what it drops: it is not the one that drops the rest; else absent
 *
 * of the kinds "BIND" to "strange-to" also these; "source" and "destination" are ARP's as well, and null where the
 * frame is neither IP nor ARP; "protocol" is "arp" then, or the EtherType:
 *
 *  "interface": "veth1a2b3c4",       the port by which it came in, and "container" is who is there; null: it has gone
 *  "to_interface": "veth5d6e7f8",    "BINDTO" and "UNBOUNDTO": the port by which it was to leave
 *  "to_container": "web-2",          and who is there
 *  "source_mac": "02:00:00:00:01:11", "destination_mac": …,
 *  "pretended": "192.0.2.12",        that which is not the container's, an IP or a MAC address; null: nobody may
 *                                    send such a frame, whatever its addresses are
 *  "reason": "not the container's address",
 *
 * of the kind "NAME", a question that the DNS gate did not answer, or in audit mode answered though it is not allowed;
 * "destination" is null, "protocol" "dns", and "name_from" "question":
 *
 *  "query_type": "A",
 *  "times": 3,                       in one second
 *  "reason": "not in the policy",
 *
 * and in answers only, where there is such a rule, one of these (allowed.h):
 *
 *  "allowed_by": "egress[1]",            the rule that allows this now, or the name, of which the daemon did not know
 *                                        this address
 *  "dropped_by": "egress[1]"}            the rule that drops this on purpose now
 */
#ifndef DOCKSIDE_REPORT_DENIED_H
#define DOCKSIDE_REPORT_DENIED_H

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "dockside/json/json_write.h"
#include "dockside/names/allowed.h"
#include "dockside/names/names.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/* ---- which rule ---- */

/* "OUT", "ING", "HOST", "SRC", "DNS"; or one of bound_kinds; or DENIED_NAME */
#define DENIED_NAME "NAME"
#define DENIED_KIND_MAX 10

/* The parts of a VERDICT_LOG rule's prefix, "dsfw/BRIDGE/KIND/N/HASH", that can be read without the
 * plan. */
struct denied_prefix {
	enum table_family table; /* TABLE_BRIDGE: of frames that are not their port's own */
	char bridge[BRIDGE_NAME_MAX + 1]; /* "": the port by which the frame came tells it */
	char kind[DENIED_KIND_MAX + 1];
	char number[16]; /* N: of the rule, or "-" */
};

/* Returns false for a prefix that no rule of ours has. */
bool denied_prefix_parse(const char *prefix, struct denied_prefix *ret_prefix);

/* The rule of the plan, that of the prefix's table, that refuses the packets with this prefix; NULL: it is an older
 * one's. */
const struct plan_rule *denied_find_rule(const struct plan *plan, const char *prefix,
					 const struct denied_prefix *parsed);

/*
 * The field that does not fit the port, where the rule, which is of the bridge table, refuses a frame for it. FIELD_SADDR and
 * FIELD_DADDR stand for IPv6's and ARP's as well. False: nobody may send such a frame, from any address.
 */
bool denied_rule_field(const struct plan_rule *rule, const char *kind, enum frame_field *ret_field);

/* ---- events ---- */

/* A frame that the bridge table refuses. */
struct denied_frame {
	const char *port;		    /* by which it came in; NULL: it has gone */
	const char *to_port, *to_container; /* where it was to go; or NULL */
	uint16_t protocol;		    /* EtherType */
	bool has_addrs;			    /* of the event */
	bool has_macs;
	uint8_t src[6], dst[6];
	bool has_sender; /* ARP's */
	uint8_t sender[6];
	bool has_target; /* a neighbour advertisement's */
	struct ipaddr target;
	bool has_field; /* denied_rule_field() */
	enum frame_field field;
	const char *reason; /* the rule's comment; NULL: it is an older one's */
};

/* A question for a name that the DNS gate refuses; the event has the name. */
struct denied_dns {
	const char *type; /* "AAAA" */
	const char *reason;
	uint64_t times;
};

struct denied_event {
	uint64_t seq;
	uint64_t time_ms; /* since 1970 */
	bool audit;
	const char *network, *bridge, *kind;
	const char *container; /* or NULL */
	struct ipaddr src, dst;
	const char *name; /* of dst, or NULL */
	bool looked_up;	  /* only the network's containers have it from somewhere */
	uint8_t l4proto;
	bool has_ports, has_icmp;
	uint16_t sport, dport;
	uint8_t icmp_type, icmp_code;
	const struct denied_frame *frame;  /* or NULL */
	const struct denied_dns *question; /* or NULL */
	const char *entry; /* of the rule, "egress[3]", or "-"; NULL: it is an older one's */
	const char *file;  /* where it is, or NULL */
	unsigned line;
	bool on_purpose; /* the rule says what it drops */
};

/* Whether the entry of a rule is one that says what it drops. */
bool denied_on_purpose(const struct policy *policy, const struct origin *origin);

/* As one JSON object, without a line feed; appends to b. */
void denied_event_json(struct buf *b, const struct denied_event *event);
/*
 * Chooses the name of an address. It is looked_up, the name by which the network last looked it up,
 * as the container meant that one. If looked_up is NULL, it is the name for which DNS last gave the
 * daemon this address; or NULL. Borrowed. *ret_looked_up: DNS has not told the daemon the same.
 */
const char *denied_name(const struct names *names, const char *looked_up, const struct ipaddr *addr,
			bool *ret_looked_up);

/* ---- the memory ---- */

#define DENIED_EVENTS_MAX 4096

struct denied_kept {
	uint64_t seq, time_ms;
	struct denied_kept *older, *newer; /* of all */
	struct denied_kept *next;	   /* the next one of its network */
	struct denied_network *network;
	bool leaves;  /* the bridge: egress rules are about it */
	bool to_host; /* host rules are */
	struct allowed_packet what;
	char *name; /* what.name */
	char *json;
};

/* A network of which there are events. */
struct denied_network {
	char *name;
	struct denied_kept *oldest, *newest;
	size_t n;
};

/* The last DENIED_EVENTS_MAX, but that a network has its share. Zero-initialise; denied_ring_free(). */
struct denied_ring {
	struct denied_kept *oldest, *newest;
	size_t n;
	struct denied_network **networks; /* sorted by name */
	size_t n_networks, cap_networks;
	uint64_t n_added; /* since the beginning: the seq of the last one */
};

/* Keeps it, with event->seq filled in. If there is no room, the oldest one goes of the network that has the most, so
 * that who floods pushes out no more than his own. Returns its JSON, borrowed. */
const char *denied_ring_add(struct denied_ring *ring, struct denied_event *event);
void denied_ring_free(struct denied_ring *ring);

/* Whether any event that it has is of the network. */
bool denied_ring_knows(const struct denied_ring *ring, const char *network);

/* A question for events: those that fit all of it are the answer. */
struct denied_query {
	uint64_t after;	     /* seq: only later ones */
	uint64_t since_ms;   /* only from then on */
	const char *network; /* in letters of either case; NULL: all */
	size_t max;	     /* bytes of JSON at most, more or less */
	const struct policy
		*policy; /* that runs, for "allowed_by" and "dropped_by"; NULL: without */
};

/*
 * Writes members of an answer: "events": […], "next": SEQ to go on after, "more": true where there
 * are further ones already, "missed": number of events after query->after that are forgotten.
 */
void denied_ring_json(const struct denied_ring *ring, const struct denied_query *query,
		      struct json_writer *out);

/* ---- how many there were ---- */

/*
 * Packets that the rules of a network have refused, or would have in audit mode, as the kernel's counters in a table have it:
 * they stay when rules are rewritten, and count what the limits keep from being an event. False where the kernel has
 * none.
 */
bool denied_packets(const struct actual *actual, const char *stem, uint64_t *ret_packets);

/* The same of table bridge dockside, by one of bound_kinds; NULL: of all kinds. */
bool denied_bound_packets(const struct actual *bridge_table, const char *kind,
			  uint64_t *ret_packets);

/* Whether a kind of chain judges by the destination. */
bool denied_is_to(const char *kind);

#endif
