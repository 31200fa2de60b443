/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS messages (RFC 1035): a question as bytes, and the meaning of an answer's bytes. Pure. Messages come
 * from strangers: no length and no name in one is believed before it is checked.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_MESSAGE_H
#define DOCKSIDE_SYSTEM_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"

#define DNS_HEADER_SIZE 12u
#define DNS_NAME_MAX 255u				   /* bytes of a name in a message */
#define DNS_QUERY_MAX (DNS_HEADER_SIZE + DNS_NAME_MAX + 4) /* a question of ours */
#define DNS_ADDRS_MAX 256u  /* addresses that we take from one answer */
#define DNS_ALIASES_MAX 16u /* resolvers follow about as many, and those in a circle end here */

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_AAAA = 28,
};

#define DNS_CLASS_IN 1u

enum dns_rcode {
	DNS_RCODE_OK = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5,
};

/* A name as labels with their lengths before them, the root's included; letters are lower case. */
struct dns_name {
	uint8_t b[DNS_NAME_MAX];
	size_t len;
};

/* False for what has no such form: empty, an empty label, one of more than 63 bytes, more than 255 in
 * all. A final dot is taken. */
bool dns_name_parse(const char *s, struct dns_name *ret_name);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* ---- questions ---- */

enum dns_type dns_type_of(enum family family);
/* A question that wants recursion. Returns its length. */
size_t dns_query_write(const struct dns_name *name, enum dns_type type, uint16_t id,
		       uint8_t ret_query[DNS_QUERY_MAX]);

/* ---- answers ---- */

struct dns_reader {
	const uint8_t *message;
	size_t len, at;
};

struct dns_record {
	struct dns_name owner;
	unsigned type, class;
	uint32_t ttl_s;
	size_t data, len; /* where its data is, inside the message */
};

struct dns_header {
	uint16_t id;
	bool is_reply, truncated, authoritative, recursive;
	unsigned opcode, rcode;
	unsigned n_questions, n_answers, n_authorities;
};

/* Each leaves the reader behind what it has read; false where the message does not hold it. */
bool dns_read_u16(struct dns_reader *reader, unsigned *ret_value);
bool dns_read_header(struct dns_reader *reader, struct dns_header *ret_header);
/* A pointer in a name leads backwards, to before the part of the name that has it: so there are no loops. */
bool dns_read_name(struct dns_reader *reader, struct dns_name *ret_name);
bool dns_read_record(struct dns_reader *reader, struct dns_record *ret_record);
/* The name that a CNAME record leads to, which has to fill its data. */
bool dns_read_alias(const struct dns_reader *reader, const struct dns_record *record,
		    struct dns_name *ret_name);

/* Records, and the name that is looked for among them: the question's, then what that is an alias of. */
struct dns_section {
	struct dns_reader records; /* at the first of them */
	unsigned n;
	struct dns_name name;
	uint32_t ttl_s; /* the smallest of the records that led on; UINT32_MAX: none has */
};

/* Follows all aliases of the name. False where the records are malformed, or lead in a circle. */
bool dns_section_follow(struct dns_section *section);
/* Whether a record is one of the name, of that type. */
bool dns_section_has(const struct dns_section *section, const struct dns_record *record,
		     unsigned type);
/* The record counts: its TTL, too. */
void dns_section_note(struct dns_section *section, const struct dns_record *record);

/* Whether it is a reply to just this question of ours: the id, and the question byte for byte. */
bool dns_is_reply_to(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len);

enum dns_verdict {
	DNS_ADDRESSES,
	DNS_NO_DATA,   /* the name exists, without an address of this family */
	DNS_NO_NAME,   /* NXDOMAIN */
	DNS_TRUNCATED, /* to be asked for over TCP */
	DNS_SERVFAIL,
	DNS_REFUSED,
	DNS_USELESS, /* malformed, a referral, aliases in a circle, any other code */
};

struct dns_answer {
	enum dns_verdict verdict;
	struct ipaddr addrs[DNS_ADDRS_MAX];
	size_t n_addrs;
	/* The smallest of the records that led to the addresses; where there is none, for how long that may be
	 * believed (RFC 2308), 0 if the server does not say. */
	uint32_t ttl_s;
};

/* Reads what a reply, accepted by dns_is_reply_to(), says about the name in the query: its aliases are followed, and
 * addresses of other names do not count. */
void dns_answer_read(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len,
		     struct dns_answer *ret_answer);

#endif
