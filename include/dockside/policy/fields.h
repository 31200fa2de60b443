/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An object
 * is described by a table of its fields, one function walks an object by its table, and readers
 * judge one value each. Everybody reports through the functions here, so that every message says
 * what was found and what is allowed.
 */
#ifndef DOCKSIDE_POLICY_FIELDS_H
#define DOCKSIDE_POLICY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/policy/model.h"
#include "dockside/policy/preset.h"

/* Networks and rules together. Far beyond what a kernel could load in reasonable time, and low
 * enough that a hostile file of 16 MiB cannot make the model fill the memory. */
#define CONFIG_OBJECTS_MAX 262144

/* A name and its position in the policy's array; sorted by name for look-up. */
struct named {
	const char *name;
	size_t index;
};

struct name_index {
	struct named *items;
	size_t n;
};

struct reader {
	struct policy *policy; /* being filled; its arena owns what readers keep */
	struct diags *diags;
	struct name_index networks, ipsets;
	bool networks_known;	/* every network of network-config has a name that we could read */
	bool ipsets_known;	/* likewise for the ipsets */
	bool null_is_absent;	/* where a key is optional */
	size_t n_objects;	/* counted against CONFIG_OBJECTS_MAX */
	struct presets presets; /* none until something asks for one */
};

#define FIELDS_MAX 16
#define KIND(kind) (1u << (kind))

struct field {
	const char *key;
	const char *subject; /* in messages, where it is not the key: "a port" */
	const char *allowed; /* completes "SUBJECT must be …" */
	unsigned kinds;	     /* KIND()s of the value */
	bool required;
	const char *renamed_to; /* the key is an older spelling of this one */
	const char *refused;	/* the key is known but does not belong here, because … */
	const char *list_hint;	/* what to do instead of giving a list */
	/* Judges a value of the right kind and stores it in object. False: it reported an error. */
	bool (*read)(struct reader *r, const struct field *field, const struct json_node *value,
		     void *object);
};

struct fields {
	const char *what; /* "a network" */
	const struct field *items;
	size_t n;
};

/* The result of one walk, by position in the table. */
struct seen {
	const struct json_node *node[FIELDS_MAX]; /* NULL: not given */
	bool good[FIELDS_MAX];			  /* given and valid */
	bool excused[FIELDS_MAX]; /* not given, but probably meant by a key reported already */
};

/* Reads the members of an object into *object; reports unknown keys, old spellings, wrong kinds and
 * missing keys. Keys that begin with "_", and "comment" unless the table has it, are free text. */
void fields_read(struct reader *r, const struct json_node *node, const struct fields *fields,
		 void *object, struct seen *ret_seen);
/* Given but wrong, or given under a wrong key: whatever depends on it is not worth reporting. */
bool seen_doubtful(const struct seen *seen, size_t i);
bool key_is_free_text(const char *key);

/* Whether another n networks or rules are within CONFIG_OBJECTS_MAX; reports when not. */
bool reader_take_objects(struct reader *r, const struct json_node *list);
/* Reports an item of a list that is not an object. */
bool item_is_object(struct reader *r, const struct json_node *item, const char *what);
/* Whether an object in a list of rules says nothing, so that it is to be skipped: with free text it separates
 * rules, without even that it is reported. */
bool item_says_nothing(struct reader *r, const struct json_node *item, const struct fields *fields);

/* An error at a value, at a member's key, or at an object's opening brace. */
struct diag *node_error(struct reader *r, const struct json_node *node, const char *fmt, ...)
	printf_like(3, 4);
struct diag *key_error(struct reader *r, const struct json_node *node, const char *fmt, ...)
	printf_like(3, 4);
struct diag *brace_error(struct reader *r, const struct json_node *node, const char *fmt, ...)
	printf_like(3, 4);
struct diag *node_note(struct reader *r, const struct json_node *node, const char *fmt, ...)
	printf_like(3, 4);
struct diag *node_warning(struct reader *r, const struct json_node *node, const char *fmt, ...)
	printf_like(3, 4);
/* "KEY must be ALLOWED, found VALUE"; false, for readers to return. */
bool value_error(struct reader *r, const struct field *field, const struct json_node *value);
/* The same with a hint, which becomes the diagnostic's (may be NULL). */
bool value_error_hint(struct reader *r, const struct field *field, const struct json_node *value,
		      char *hint);

/* Whether further errors would be counted but not shown: time to stop looking for hints. */
bool reader_is_full(const struct reader *r);
/* 'did you mean "WORD"?' as an owned string, or NULL; letter case counts little. */
char *did_you_mean(const char *s, const char *const *words, size_t n);
/* Guesses why text is no address, network or hostname: an owned hint, or NULL. */
char *address_hint(const char *s);
/* The port to write where the name of a service was found; owned, or NULL. */
char *service_hint(const char *s);

void name_index_sort(struct name_index *index);
const struct named *name_index_find(const struct name_index *index, const char *name);
/* did_you_mean() over the index. */
char *name_index_suggest(const struct name_index *index, const char *name);

/* Position of a word among others. */
bool find_word(const char *s, const char *const *words, size_t n, size_t *ret_index);
/* Position of a string value among words, reporting it when absent. */
bool read_word(struct reader *r, const struct field *field, const struct json_node *value,
	       const char *const *words, size_t n, size_t *ret_index);

/* An address, a network, or a hostname in lower case (in the policy's arena). */
struct endpoint {
	const char *name; /* NULL: prefix counts */
	struct prefix prefix;
};

/* Accepts hostname, address and CIDR; warns of a name that looks like an address. */
bool read_endpoint(struct reader *r, const struct field *field, const struct json_node *value,
		   struct endpoint *ret_endpoint);
/* Whether text is meant as a wildcard. */
bool is_like_pattern(const char *s);
/* "*.example.com" in lower case (in the policy's arena); NULL, and reported, for anything else. */
const char *read_pattern(struct reader *r, const struct field *field,
			 const struct json_node *value);
/* A hostname or a pattern, in the same way. */
const char *read_dns_name(struct reader *r, const struct field *field,
			  const struct json_node *value);
/* Sorts strings and drops those that are there twice; returns how many are left. */
size_t unique_strings(const char **strings, size_t n);
/* The same for prefixes, of which those that are inside another are dropped. */
size_t outermost_prefixes(struct prefix *prefixes, size_t n);
/* An address of either family that is not unspecified. */
bool read_address(struct reader *r, const struct field *field, const struct json_node *value,
		  struct ipaddr *ret_addr);
/* A MAC address that an interface can have. */
bool read_unicast_mac(struct reader *r, const struct field *field, const struct json_node *value,
		      uint8_t ret_mac[6]);
bool read_port(struct reader *r, const struct field *field, const struct json_node *value,
	       uint16_t *ret_port);
/* A rule's comment, made fit for nft; NULL for an empty one. */
bool read_comment(struct reader *r, const struct json_node *value, const char **ret_comment);

/* One network of network-config, and the ipsets of firewall-config. */
/* The list of `extra` of one network: struct field's read(), and what concerns its other keys. list may be NULL. */
bool read_extra(struct reader *r, const struct field *field, const struct json_node *list,
		void *object);
void check_extra(struct reader *r, const struct network *network, const struct json_node *list);
/* ip: the node of dockside_ip, or NULL. */
void check_bind(struct reader *r, const struct network *network, const struct json_node *ip);
void read_network(struct reader *r, const struct json_node *item, struct network *network);
void read_ipset(struct reader *r, const struct json_node *node, struct ipset *ipset);
/* "dns" of a network, as struct field's read(); object is a struct network. */
bool read_dns(struct reader *r, const struct field *field, const struct json_node *value,
	      void *object);
/* The top-level "dns"; object is the policy. */
bool read_dns_upstream(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object);
/* A network's lists in firewall-config, as struct field's read(); object is a struct network. */
bool read_egress(struct reader *r, const struct field *field, const struct json_node *list,
		 void *object);
bool read_host_rules(struct reader *r, const struct field *field, const struct json_node *list,
		     void *object);
bool read_nat(struct reader *r, const struct field *field, const struct json_node *list,
	      void *object);

#endif
