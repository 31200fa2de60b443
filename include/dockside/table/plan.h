/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A wanted table, inet dockside or bridge dockside, as data: chains, rules, sets, elements, each with the config entry
 * that it came from. struct actual (actual.h), a table that the kernel holds, has the same
 * structs for sets and base chains, so that the two can be compared.
 */
#ifndef DOCKSIDE_TABLE_PLAN_H
#define DOCKSIDE_TABLE_PLAN_H

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/names/resolved.h"
#include "dockside/policy/model.h"

#define TABLE_NAME "dockside"
/* Comment of a draining network's dispatch elements, by which a later run knows it. */
#define DRAINING_COMMENT "draining"
/* The kinds of a bridge's chains that refuse, as their names end. */
#define N_JUDGING_KINDS 5
extern const char *const judging_kinds[N_JUDGING_KINDS]; /* OUT, ING, HOST, SRC, DNS */
/*
 * The bit of a connection's labels (connlabel) that says that a rule of ours has accepted it. It lives as long
 * as the conntrack entry, so a connection without it was opened while nobody judged. The number is nft's.
 */
#define JUDGED_LABEL 127
/* In the place of a bridge, of chains that belong to no network and yet report refusals; no bridge's name. */
#define LOG_NO_BRIDGE "_"
/* The kinds of refusals in the bridge table: of what a known port has sent, or another one; of somebody's address from
 * another port; of what is sent to a known port, or to another one. */
#define N_BOUND_KINDS 5
extern const char *const bound_kinds[N_BOUND_KINDS]; /* BIND, UNBOUND, strange, BINDTO, UNBOUNDTO */
/* The bridges of managed networks: what goes into one of them, and comes from none, gets JUDGED_LABEL as well. */
#define MANAGED_SET "managed"
/* The chain that answers TCP with a reset and drops the rest. */
#define PLAN_REFUSE "refuse"
#define FINGERPRINT_SET "fingerprint"
/* The bridges whose containers' DNS replies the daemon hears, and how it knows these. */
#define LOOKUPS_SET "lookups"
#define LOOKUPS_PREFIX "dsfw-dns"
/* It hears so many a second from one network, and after a calm so many at once. */
#define LOOKUPS_RATE 100
#define LOOKUPS_BURST 200
/* The bridges of networks with a DNS gate, and the map by which a tell's destination port finds the list that it is for. */
#define GATE_SET "dns-gate"
#define TELL_MAP "dns-tell"
/* The policies whose names the sets have addresses of: the tags that came with what was told. */
#define TAGS_SET "dns-tags"
/* By this map a bridge's DNS finds the chain that redirects it. */
#define DISPATCH_GATE "dispatch-gate"
/* The keys of the fingerprints of a network's chains about DNS begin with this; no bridge's name does. */
#define FINGERPRINT_DNS "DNS"
/* The keys of the fingerprints of chains that belong to no network begin with this: no bridge's name does
 * (network_bridge_valid()). */
#define FINGERPRINT_BASE "BASE"
/* Keys of the records that FORWARD had the policy ACCEPT before us; no bridge's either. */
#define FINGERPRINT_FORWARD "FORWARD"	/* of ip filter */
#define FINGERPRINT_FORWARD6 "FORWARD6" /* of ip6 filter */

/* The config entry that something came from. */
struct origin {
	const char *network; /* Docker's name, or NULL */
	const char *entry;   /* "egress[2]", "ipset github", … */
	struct loc loc;
};

enum match_kind {
	MATCH_OIFNAME,	   /* u.name */
	MATCH_OIFNAME_SET, /* u.set */
	MATCH_IIFNAME_SET, /* u.set; negated as well */
	MATCH_IIF_BRIDGE,  /* the incoming interface is some bridge: cheaper than a lookup */
	MATCH_DNS_REPLY,   /* UDP from port 53, to who has opened the connection */
	MATCH_CT_STATE,	   /* u.ct_states */
	MATCH_NFPROTO,	   /* u.family */
	MATCH_SADDR,	   /* u.prefix; negated: an address of its family outside of it */
	MATCH_SADDR_RANGE, /* u.range */
	MATCH_SADDR_SET,   /* u.set: its type tells the family */
	/* The source is one host's, and the route back to it leads over the interface that the packet came in by. */
	MATCH_SOURCE_ROUTE,
	MATCH_DADDR,	   /* u.prefix; negated as well */
	MATCH_DADDR_SET,   /* u.set: its type tells the family */
	MATCH_ETHER_SADDR, /* u.mac */
	/* To an address that no bridge forwards (IEEE 802.1D, 01:80:c2:00:00:00 to 0f): the frame enters the host by
	 * the bridge's port. */
	MATCH_RESERVED_MAC,
	MATCH_L4PROTO,	 /* u.l4proto; negated as well */
	MATCH_DPORT,	 /* u.dport */
	MATCH_DPORT_SET, /* u.dport_set */
	MATCH_ICMP,	 /* u.icmp, of its family */
	MATCH_MARK,	 /* u.mark: all of these bits are set */
	/* These are for frames on a bridge's port, in the bridge table. */
	MATCH_PROTOCOL,	    /* u.protocol, behind a VLAN tag where there is one; negated as well */
	MATCH_FIELD_SET,    /* u.field_set; negated as well */
	MATCH_FIELD_PREFIX, /* u.field_prefix; negated as well */
	/* u.udp_ports; negated: a transport header of whatever protocol that does not begin with these two. */
	MATCH_UDP_PORTS,
	MATCH_TRANSPORT_PORT, /* u.port: the number where TCP and UDP have the destination port, of any protocol */
	MATCH_UDP_SPORT, /* u.port */
	MATCH_SKUID,	 /* u.uid: whose socket sends the packet */
	MATCH_CT_DNAT,	 /* the connection's destination was translated */
	MATCH_FIB,	 /* u.fib: what the kernel's routes say of an address; negated as well */
	MATCH_UNICAST,	 /* the frame is for one MAC address */
	MATCH_FRAGMENT,	 /* there is an IPv6 fragment header */
};

/* The kinds of address that the kernel's routes know. */
enum fib_type {
	FIB_UNICAST,
	FIB_LOCAL,
	FIB_ANYCAST,
};

/* A field of a frame that says who sends it, or to whom. */
enum frame_field {
	FIELD_ETHER_SADDR,
	FIELD_ETHER_DADDR,
	FIELD_ARP_SENDER_MAC,
	FIELD_ARP_SENDER,
	FIELD_ARP_TARGET,
	FIELD_SADDR,  /* of the IPv4 header */
	FIELD_SADDR6, /* of the IPv6 header */
	FIELD_DADDR,
	FIELD_DADDR6,
	FIELD_ND_TARGET, /* of a neighbour solicitation or advertisement, which another match finds */
};

/* The port that comes before a field in a set's key. */
enum frame_port {
	PORT_NONE,
	PORT_IN,
	PORT_OUT,
};

/* Bits of match.u.ct_states; the order is that in which they are printed. */
enum ct_state {
	CT_ESTABLISHED = 1,
	CT_RELATED = 2,
	CT_UNTRACKED = 4,
	CT_INVALID = 8,
	CT_NEW = 16,
};

struct match {
	enum match_kind kind;
	bool negated; /* of the kinds that say so */
	union {
		const char *name;
		unsigned ct_states;
		enum family family;
		uint32_t mark;
		struct prefix prefix;
		struct {
			struct ipaddr first, last;
		} range;
		const struct plan_set *set;
		uint8_t mac[6];
		uint8_t l4proto; /* IPPROTO_* */
		struct {
			uint8_t l4proto;
			struct portrange range;
		} dport;
		struct {
			uint8_t l4proto; /* 0: either, of those matched before */
			const struct plan_set *set;
		} dport_set;
		struct {
			enum family family;
			uint8_t type;
			bool has_code;
			uint8_t code;
		} icmp;
		uint16_t port;
		uint32_t uid;
		struct {
			bool source;
			enum fib_type type;
		} fib;
		uint16_t protocol; /* ETH_P_IP, ETH_P_IPV6, ETH_P_ARP */
		struct {
			enum frame_port port;
			enum frame_field field;
			const struct plan_set *set;
		} field_set;
		struct {
			enum frame_field field; /* of an address of the prefix's family */
			struct prefix prefix;
		} field_prefix;
		struct {
			uint16_t source, destination;
		} udp_ports;
	} u;
};

enum verdict {
	VERDICT_ACCEPT,
	VERDICT_DROP,
	VERDICT_RESET,	  /* reject with tcp reset; of TCP packets only */
	VERDICT_GOTO,	  /* target */
	VERDICT_PROHIBIT, /* reject with ICMP's admin-prohibited; of IPv4 packets only */
	VERDICT_REDIRECT, /* to port redirect_port of the host */
	VERDICT_VMAP, /* iifname vmap @set: the dispatch; oifname where outgoing is set; MAP_TELL: udp dport */
	VERDICT_DNAT,	  /* dnat to meta l4proto . th dport map @set */
	VERDICT_CONTINUE, /* none: it goes on with the next rule */
	/* None: it goes on with the next rule, which has the same matches and refuses (or, of a network
	 * in audit mode, would refuse). tally counts its packets, and as many as limit lets through
	 * are reported over nflog. */
	VERDICT_LOG,
	/* None: a limited number of packets, as much of each as can be a DNS reply, go to nflog as well. */
	VERDICT_COPY,
};

enum object_kind {
	OBJECT_COUNTER,
	OBJECT_LIMIT, /* of PLAN_LOG_RATE and PLAN_LOG_BURST */
};
#define N_OBJECT_KINDS 2

/*
 * Each network may report so many packets a second, and after a calm so many at once. A service
 * that cannot reach its server sends fewer, so all of its are reported; a flood costs little.
 */
#define PLAN_LOG_RATE 200
#define PLAN_LOG_BURST 400

/* A named object of nft: one that several rules share, and that stays when they are rewritten. */
struct plan_object {
	enum object_kind kind;
	const char *name;
	const struct origin *origin;
};

#define RULE_MATCHES_MAX 5

/* The ways in which a rule changes a set of told addresses. */
enum update_kind {
	UPDATE_NONE,
	UPDATE_PUT,    /* the element is there, for life_s from now on */
	UPDATE_REMOVE, /* it is not */
};

/* The element is made of the packet: an interface's name, and an address of the set's family. */
struct set_update {
	enum update_kind kind;
	const struct plan_set *set;
	enum frame_port port;
	enum frame_field field;
	unsigned life_s;
};

struct plan_rule {
	struct match matches[RULE_MATCHES_MAX];
	size_t n_matches;
	uint32_t mark;	 /* bits to set in the packet mark, the others stay; 0: none */
	uint32_t unmark; /* bits to clear in it; 0: none. Not both */
	bool mark_tag; /* the mark becomes the first four bytes that a UDP packet carries; without them the rule ends */
	bool counter;
	bool judged;		  /* the connection gets JUDGED_LABEL */
	struct set_update update; /* before the verdict, which fails to come where it fails */
	const struct plan_set *
		tags; /* TAGS_SET: the packet's mark becomes an element, after the update; as before */
	enum verdict verdict;
	uint16_t redirect_port;			 /* VERDICT_REDIRECT */
	bool outgoing;				 /* VERDICT_VMAP */
	const char *target;			 /* VERDICT_GOTO: chain */
	const struct plan_set *set;		 /* VERDICT_VMAP, VERDICT_DNAT */
	const struct plan_object *tally, *limit; /* VERDICT_LOG */
	const char *log; /* VERDICT_LOG: what tells which rule it was, see denied.h; VERDICT_COPY */
	uint16_t log_group;  /* VERDICT_LOG, VERDICT_COPY */
	const char *comment; /* at most COMMENT_MAX bytes, or NULL */
	const struct origin *origin;
};

enum base_hook {
	BASE_NONE, /* a regular chain */
	BASE_FORWARD,
	BASE_INPUT,
	BASE_PREROUTING_NAT,
	BASE_PREROUTING_RAW, /* before fragments are put together, conntrack, NAT and routing */
	BASE_FORWARD_END,    /* behind Docker's chain */
	BASE_OUTPUT,
	BASE_PREROUTING_DNS, /* NAT before Docker's */
	BASE_OUTPUT_TOLD,    /* before conntrack: what the gate tells */
	BASE_BIND,	     /* of the bridge table: what enters by a port */
	BASE_BIND_TO,	     /* of the bridge table: what leaves by another one */
	BASE_BIND_OUTPUT,    /* of the bridge table: what the host sends by one */
};

struct plan_chain {
	const char *name;
	const char *bridge; /* whose chain it is, or NULL for one that serves all */
	const char *stem;   /* what its name begins with; only with bridge */
	/* "OUT", "ING", "HOST", "SRC", "NAT", "DNS", "GATE", "PRIVATE"; the name, or a short one of its own, where bridge is NULL */
	const char *kind;
	const char *log_kind; /* what its refusals are told as; NULL: kind */
	enum base_hook hook;
	struct plan_rule *rules;
	size_t n_rules;
	size_t cap_rules;
	uint64_t hash; /* of the rules as text; nft_text_hash() fills it in */
	const struct plan_object *tally, *limit; /* of its log statements; NULL: there are none */
	const struct origin *origin;
};

enum set_type {
	SET_IPV4,
	SET_IPV6,
	SET_PORTS,	   /* inet_service */
	SET_BRIDGES,	   /* ifname */
	SET_MARKS,	   /* mark: in the host's byte order */
	SET_MAC,	   /* ether_addr */
	SET_PORT_MAC,	   /* ifname . ether_addr */
	SET_PORT_IPV4,	   /* ifname . ipv4_addr */
	SET_PORT_IPV6,	   /* ifname . ipv6_addr */
	SET_PORT_MAC_IPV4, /* ifname . ether_addr . ipv4_addr */
	SET_PORT_MAC_IPV6, /* ifname . ether_addr . ipv6_addr */
	/* IPv6 addresses as numbers: nft 1.0.6 has no word for the target of a neighbour advertisement. */
	SET_ND_TARGET,
	SET_PORT_ND_TARGET, /* ifname, and such a number */
	MAP_DISPATCH,	    /* ifname : verdict */
	MAP_TELL,	    /* inet_service : verdict */
	MAP_NAT4,	    /* inet_proto . inet_service : ipv4_addr . inet_service */
	MAP_NAT6,
	SET_UNKNOWN, /* in the kernel: none of ours */
};

#define ELEM_KEY_MAX 40	  /* bytes; an interface's name, a MAC and an IPv6 address */
#define IFNAME_KEY_LEN 16 /* bytes; of an interface's name in a key, padded with zeros: IFNAMSIZ */
#define MAC_KEY_LEN 8	  /* bytes; of a MAC address in a key, padded with zeros */
#define ELEM_DATA_MAX 20  /* IPv6 address and port, each padded to 4 bytes */

/* An element in the kernel's own byte layout (network byte order, parts padded to 4 bytes). */
struct elem {
	uint8_t key[ELEM_KEY_MAX];
	uint8_t last
		[ELEM_KEY_MAX]; /* interval sets: the last key of the range; else equal to key */
	uint8_t data[ELEM_DATA_MAX];
	const char *target; /* MAP_DISPATCH, MAP_TELL: goto this chain */
	const char *comment;
	uint64_t timeout_ms;	 /* 0: permanent */
	uint64_t expires_ms;	 /* in the kernel: what is left of the timeout */
	uint64_t packets, bytes; /* in the kernel: of its counter, if it has one */
	const struct origin *origin;
	const struct resolved_name
		*name;	 /* a NAT target that is a name (whose address may be unknown) */
	bool unresolved; /* such a name has no address: data is only its port */
};

struct plan_set {
	const char *name;
	enum set_type type;
	bool interval;
	bool timeout;
	bool counter;
	bool limit; /* each element matches LOOKUPS_RATE packets a second */
	/* Packets put elements into it and renew them: what it holds is nobody's plan, and is left alone. */
	bool dynamic;
	uint32_t size; /* of a dynamic one: elements at most */
	/* A set that the gate fills holds the addresses of names of this ipset, or of this entry. */
	const struct ipset *told_ipset;
	const char *told_entry; /* a hostname or "*.example.com", unless it is an ipset */
	const char *comment;
	/* Hostnames whose addresses it holds, sorted by name; none: its content is all in elems. */
	const struct resolved_name **names;
	size_t n_names;
	bool opens; /* a rule that allows looks into it: it has no addresses of names that open nothing */
	struct elem *elems; /* sorted by key, disjoint */
	size_t n_elems;
	size_t cap_elems;
	const struct origin *origin;
};

enum forward_policy {
	FORWARD_POLICY_DROP,	     /* an ACCEPT becomes DROP */
	FORWARD_POLICY_ALLOW_ACCEPT, /* it is left alone */
};

/* The command line decides with these how we enforce a policy. */
struct plan_options {
	uint32_t mark_bit; /* one bit of the packet mark, proof of judgement */
	enum forward_policy forward_policy;
	uint16_t log_group; /* of nflog, for refused packets; 0: nothing is reported */
	bool has_gate_uid;  /* needed where a network has a DNS gate */
	uint32_t gate_uid;  /* whose packets tell addresses */
};

/* A plan describes one of two tables; the name is the same in both families. */
enum table_family {
	TABLE_INET,
	TABLE_BRIDGE,
};
#define N_TABLES 2

/* "inet dockside", as nft's statements name it. */
const char *table_text(enum table_family family);

/* Everything is owned by the arena but the arrays of rules and elements; plan_free() frees all.
 * Borrows the policy and the hosts that it was compiled from. */
struct plan {
	struct arena arena;
	enum table_family family;
	struct plan_options options;
	const struct never *never; /* borrowed from the hosts; or NULL */
	uint64_t own_hash;	   /* compile_own_hash() of what it was made with */
	struct plan_set **sets;	   /* in the order in which they are printed */
	size_t n_sets;
	size_t cap_sets;
	struct plan_chain **chains;
	size_t n_chains;
	size_t cap_chains;
	struct plan_object **objects;
	size_t n_objects;
	size_t cap_objects;
	struct plan_set **sets_by_name; /* filled in by plan_finish() */
	struct plan_chain **chains_by_name;
	struct plan_object **objects_by_name; /* by kind, then name */
	void *texts;			      /* of plan_intern() */
	size_t texts_size;		      /* bytes of all of them */
	/* The FORWARD policies that were ACCEPT before we changed them, to be recorded in the kernel: bits
	 * 1 << enum shim_table. */
	unsigned forward_was_accept;
	/* For a plan that we compare and do not load: a daemon is at work on the kernel's table.
	 * The daemon decides how long the addresses of names live, and to which of them a NAT rule
	 * leads. */
	bool beside_daemon;
	/* In table bridge dockside: nobody was asked who is on which port, so the kernel's elements stay. */
	bool ports_unknown;
};

/* Facts about a set type: nft's words, key and data length in bytes, and the kernel's type numbers
 * (NFTA_SET_KEY_TYPE, NFTA_SET_DATA_TYPE: opaque to the kernel, defined by nft's datatype.h). */
struct set_type_info {
	const char *nft;
	uint8_t key_len;
	uint8_t data_len;
	uint32_t key_type;
	uint32_t data_type;
};

const struct set_type_info *set_type_info(enum set_type type);
bool set_type_is_map(enum set_type type);
/* Whether its elements lead to chains. */
bool set_type_is_verdicts(enum set_type type);
/* Whether its keys begin with the name of an interface. */
bool set_type_has_ifname(enum set_type type);
/* Whether a MAC address follows the name, and an IP address that. */
bool set_type_has_mac_and_ip(enum set_type type);
/* The family of a set's addresses; of a NAT map, of those that it leads to. */
enum family set_type_family(enum set_type type);

/* An origin in the plan's arena; network and entry are borrowed. */
const struct origin *plan_origin(struct plan *plan, const char *network, const char *entry,
				 struct loc loc);

/* A copy of text in the plan's arena, one for equal texts: for texts that we make over and over. */
const char *plan_intern(struct plan *plan, const char *text);
/*
 * The comment of an element lists the names that its address is of: "a.example b.example". It is how
 * a later run knows where an address in the kernel came from. A name that is longer than a comment
 * stands there as its beginning and a hash, and is no other name's.
 */
/* Adds a name to such a comment, which is empty at first, if there is room for all of it. */
void comment_add_name(char comment[COMMENT_MAX + 1], const char *name);
/* Whether a name stands in the comment of an element. */
bool elem_is_of(const struct elem *elem, const char *name);
struct plan_chain *plan_add_chain(struct plan *plan, const char *name, const struct origin *origin);
struct plan_set *plan_add_set(struct plan *plan, enum set_type type, const char *name,
			      const struct origin *origin);
struct plan_object *plan_add_object(struct plan *plan, enum object_kind kind, const char *name,
				    const struct origin *origin);
/* By kind, then name. */
int object_cmp(enum object_kind kind_a, const char *name_a, enum object_kind kind_b,
	       const char *name_b);
/* By name, in a finished plan; NULL when there is none. */
struct plan_set *plan_find_set(const struct plan *plan, const char *name);
struct plan_chain *plan_find_chain(const struct plan *plan, const char *name);
/* Adds the chain PLAN_REFUSE. */
void plan_add_refuse(struct plan *plan, const struct origin *origin);
/* A zeroed rule at the end of the chain; the pointer lasts until the next rule is added. */
struct plan_rule *chain_add_rule(struct plan_chain *chain, const struct origin *origin);
/* Adds a match to a rule and returns it for its operand to be filled in. */
struct match *rule_add_match(struct plan_rule *rule, enum match_kind kind);
/* A zeroed element; the pointer lasts until the next one is added. */
struct elem *set_add_elem(struct plan_set *set, const struct origin *origin);
/* The same with the name of an interface, of less than IFNAME_KEY_LEN bytes, for a key. */
struct elem *set_add_bridge(struct plan_set *set, const char *bridge, const struct origin *origin);
/* Whether its elements are bridges of networks: LOOKUPS_SET, MANAGED_SET. */
bool set_has_bridges(const struct plan_set *set);
/* Whether the gate puts the addresses of a name, in lower case, into the set. */
bool set_is_told(const struct plan_set *set, const char *name);
/* The element of a sorted set or map whose key is that name; NULL for none, and for a set that is NULL. */
const struct elem *set_find_bridge(const struct plan_set *set, const char *bridge);
/* A port in an element's key or data. */
void store_port(uint8_t *bytes, uint16_t port);
uint16_t load_port(const uint8_t *bytes);
/* A mark in an element's key. */
uint32_t load_mark(const uint8_t *bytes);
/* Whether an address is not to be in the set for a name's sake, as names never open it (never.h). */
bool set_refuses(const struct plan *plan, const struct plan_set *set, const struct ipaddr *addr);
/* By key, then last. */
int elem_cmp(const void *a, const void *b);
/* Sorts elements, merges what overlaps or touches in interval sets, and makes the plan searchable
 * by name; again after something was added. */
void plan_finish(struct plan *plan);
void plan_free(struct plan *plan);

/* Names of chains and sets that belong to something in the config; safe for nft's grammar
 * ([A-Za-z_.][A-Za-z0-9_./-]*, 255 bytes; doc/kernel.md, "Names that nft takes"). Owned by the arena. */
const char *plan_chain_name(struct arena *arena, const char *stem, const char *kind);
const char *plan_set_name(struct arena *arena, const char *prefix, const char *name,
			  const char *suffix);
/* Names of the objects of a network's log statements: one limit for all, a counter for each kind of chain. */
const char *plan_limit_name(struct arena *arena, const char *stem);
const char *plan_tally_name(struct arena *arena, const char *stem, const char *kind);

#endif
