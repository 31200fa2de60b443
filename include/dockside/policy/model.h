/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy that two files describe, as plain structs. Strings and arrays live in the
 * policy's arena; locations point into its two sources, so a policy that is copied or moved keeps
 * its strings but not its locations: swap pointers to policies, not policies.
 */
#ifndef DOCKSIDE_POLICY_MODEL_H
#define DOCKSIDE_POLICY_MODEL_H

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"

#define BRIDGE_NAME_MAX 15 /* IFNAMSIZ - 1, linux/if.h */
#define NETWORK_NAME_MAX 64
#define IPSET_NAME_MAX 31
#define PORT_DNS 53
#define PORT_DNS_TLS 853
#define COMMENT_MAX 128 /* bytes; NFTNL_UDATA_COMMENT_MAXLEN, libnftnl/udata.h */

enum action {
	ACTION_ALLOW,
	ACTION_DROP,
};

enum proto {
	PROTO_ANY,
	PROTO_TCP,
	PROTO_UDP,
	PROTO_ICMP, /* ICMPv4, and ICMPv6 where the type has a twin */
};

enum dest {
	DEST_ALL,
	DEST_CIDR,
	DEST_IP,
	DEST_HOSTNAME,
	DEST_IPSET,
	DEST_PATTERN, /* `host` is a wildcard: spelt "host" as DEST_HOSTNAME is */
};

/* An ICMP type and perhaps code, of one family. */
struct icmp_type {
	bool set; /* false: the rule says nothing about this family */
	bool any; /* every type */
	bool has_code;
	uint8_t type;
	uint8_t code;
};

struct rule {
	enum action action;
	enum proto proto;
	struct portrange *ports; /* normalised; none: all ports */
	size_t n_ports;
	struct icmp_type icmp4, icmp6; /* PROTO_ICMP only */
	enum dest to;
	struct prefix cidr; /* DEST_CIDR; DEST_IP and a literal `host` as full-length prefix */
	const char *
		hostname; /* DEST_HOSTNAME: a name in lower case (a literal address becomes DEST_IP);
			     DEST_PATTERN: "*.example.com", in lower case */
	size_t ipset;	  /* DEST_IPSET: index into policy.ipsets */
	const char *comment; /* at most COMMENT_MAX bytes, no '"' or control characters; or NULL */
	size_t index;	     /* in the list of the file, which has separators too: "egress[2]" */
	struct loc loc;
};

struct nat_rule {
	enum proto proto; /* PROTO_TCP or PROTO_UDP */
	uint16_t match_dport;
	const char *to_host; /* lower case; NULL: to_ip counts (a literal to_host becomes to_ip) */
	struct ipaddr to_ip;
	uint16_t to_port;
	const char *comment; /* or NULL */
	size_t index;	     /* as a rule's */
	struct loc loc;
	struct loc match_dport_loc; /* no place when it could not be read */
};

/* The senders that a bridge's port has while nobody has told which container is there. */
enum bind {
	BIND_LEARN,  /* the network's subnets, but for the addresses of known ports */
	BIND_STRICT, /* nobody */
	BIND_OFF,    /* anybody, as on every other port of the network */
};

/* As the configuration spells it. */
#define N_BINDS (BIND_OFF + 1)
extern const char *const bind_names[N_BINDS];

/* A network's "dns", by which the gate serves it. Names are in lower case; all lists are sorted and unique. */
struct network_dns {
	bool gated; /* its containers' DNS goes to the gate */
	const char **
		names; /* hostnames and patterns that are answered, besides those of rules; they open nothing */
	size_t n_names;
	struct prefix
		*private; /* what answers may open of the addresses that otherwise no answer opens */
	size_t n_private;
	const char **types; /* record types besides A and AAAA, "MX" */
	size_t n_types;
	bool has_stale;
	unsigned stale_s; /* how long an address stays after its last answer or use */
	struct loc loc;
};

struct network {
	const char *name; /* Docker's */
	const char *stem; /* name in lower case: its chains' names begin with it */
	/* The name of its interface. Until it is known (placed), a name that no interface can have, so that each network
	 * has one of its own. */
	const char *bridge;
	bool placed;
	bool external;	   /* others make it; Docker says where it is (sites.h) */
	bool bridge_given; /* by its key: it stays, whatever Docker says */
	const char
		*site_trouble; /* why Docker's word is not taken; NULL: it is, or there is none */
	bool gateway_given;
	bool has_subnet; /* false: not known, or its policy is lost */
	struct prefix subnet;
	bool has_subnet6;
	struct prefix subnet6;
	struct ipaddr gateway, gateway6; /* of the subnets that it has; given or computed */
	bool has_dockside_ip, has_dockside_ip6, has_dockside_mac;
	struct ipaddr dockside_ip, dockside_ip6;
	uint8_t dockside_mac[6];
	bool dockside_policed; /* dockside_egress: "policed" */
	enum bind bind;
	/* Sources that every port may have besides its container's own; no known container's, though. */
	struct prefix *extra;
	size_t n_extra;
	uint8_t (*extra_macs)[6];
	size_t n_extra_macs;
	bool has_mtu;
	uint16_t mtu;  /* of the Docker network, where we make it */
	bool audit;    /* mode: "audit": what would be refused passes, and is recorded */
	bool draining; /* no longer in the files, its last policy in force (draining.h) */
	bool closed;   /* that policy is lost: everything is refused instead */
	struct rule *egress;
	size_t n_egress;
	struct nat_rule *nat;
	size_t n_nat;
	struct rule *host_rules; /* rules for the Docker host itself; `to` is always DEST_ALL */
	size_t n_host_rules;
	struct network_dns dns;
	struct loc loc; /* its object in network-config */
	/* No place when absent or unreadable. */
	struct loc name_loc, bridge_loc, subnet_loc, subnet6_loc;
	struct loc mode_loc; /* no place unless audit */
};

/* One ipset: hostnames, patterns ("*.example.com"), and literals as prefixes (an address has full length). */
struct ipset {
	const char *name;
	const char **hostnames; /* lower case, sorted, unique */
	size_t n_hostnames;
	const char **patterns; /* lower case, sorted, unique */
	size_t n_patterns;
	struct prefix *prefixes; /* sorted, unique, none inside another */
	size_t n_prefixes;
	struct loc loc;
};

struct policy {
	struct src network_src;
	struct src firewall_src;
	struct arena arena;
	struct network *networks;      /* in file order, then those that are draining */
	size_t n_networks, n_draining; /* all; those */
	struct ipset *ipsets; /* in file order, then those that only draining networks use */
	size_t n_ipsets, n_draining_ipsets;
	struct ipaddr *
		upstream; /* whom the gate asks, in the order of the file; none: the host's name servers */
	size_t n_upstream;
	struct policy *draining; /* what draining networks borrow from; or NULL */
};

/* Whether the configuration has a policy for a network; and whether it gets chains, as its bridge is known as well. */
bool network_has_policy(const struct network *network);
bool network_managed(const struct network *network);
/* Whether its bridge's ports are bound to their containers' addresses. */
bool network_bound(const struct network *network);
/* Whether a rule matches every packet, and whether a network's last egress rule drops every packet. */
bool rule_matches_everything(const struct rule *rule);
/* Whether it says what it drops, and so is not the rule that drops the rest. */
bool rule_drops_on_purpose(const struct rule *rule);
bool network_denies(const struct network *network);
/* Whether a rule's ports have that one: without ports it is about all. */
bool rule_has_port(const struct rule *rule, uint16_t port);
/* Whether a rule allows UDP to that port of its destinations. */
bool rule_allows_udp(const struct rule *rule, uint16_t port);
/* Whether the gate tells the addresses of the names that the rule, of that network, is about: nobody else looks them up for
 * it. */
bool rule_told(const struct network *network, const struct rule *rule);
/* Whether a pattern, "*.example.com", has a name, in lower case: one or more labels before ".example.com". */
bool pattern_has(const char *pattern, const char *name);
/* Whether one of the ipset's patterns has a name, in lower case. */
bool ipset_has_pattern_of(const struct ipset *ipset, const char *name);
/* name: in lower case. */
bool ipset_has_hostname(const struct ipset *ipset, const char *name);
/* By Docker's name, in letters of either case; NULL, and what it may have meant in err, for none. */
const struct network *policy_find_network(const struct policy *policy, const char *name,
					  struct err *err);
/* By bridge, or NULL. */
const struct network *policy_find_bridge(const struct policy *policy, const char *bridge);
/* By what its chains' names begin with, or NULL. */
const struct network *policy_find_stem(const struct policy *policy, const char *stem);
void policy_free(struct policy *policy);

const char *proto_name(enum proto proto); /* "any", "tcp", … */
/* nft's word for a protocol that rules know (IPPROTO_*), "tcp", "udp", "icmp", "icmpv6"; NULL for others. */
const char *l4proto_name(uint8_t l4proto);
const char *action_name(enum action action);
const char *dest_name(enum dest dest);

#endif
