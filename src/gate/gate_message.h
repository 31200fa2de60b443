/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions of containers, read strictly, and our answers, written anew: nothing of a server's message goes through but
 * parsed values, and no name is compressed but the pointer to the question. Pure.
 */
#ifndef DOCKSIDE_GATE_GATE_MESSAGE_H
#define DOCKSIDE_GATE_GATE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"
#include "dockside/system/dns_message.h"

#define GATE_QUESTION_MAX (DNS_NAME_MAX + 4u)
#define GATE_UDP_MAX 1232u    /* bytes of a reply by UDP: never fragmented */
#define GATE_UDP_DEFAULT 512u /* without EDNS */
#define GATE_TCP_MAX 65535u
#define GATE_ANSWER_ADDRS_MAX 28u  /* IPv4 addresses of one answer */
#define GATE_ANSWER_ADDRS6_MAX 16u /* IPv6 addresses of one answer */

/* RFC 8914 */
enum gate_ede {
	GATE_EDE_NONE = -1,
	GATE_EDE_OTHER = 0,
	GATE_EDE_NOT_READY = 14,
	GATE_EDE_PROHIBITED = 18,
	GATE_EDE_NO_REACHABLE = 22,
};

enum gate_rcode {
	GATE_NOERROR = 0,
	GATE_FORMERR = 1,
	GATE_SERVFAIL = 2,
	GATE_NXDOMAIN = 3,
	GATE_NOTIMP = 4,
	GATE_REFUSED = 5,
	GATE_BADVERS = 16, /* of EDNS */
};

/* A question. Everything that a reply needs is in here. */
struct gate_query {
	uint16_t id;
	uint16_t type;
	uint16_t udp_size; /* of a reply, at most */
	bool edns;
	bool wants_recursion, checking_disabled; /* repeated in the reply */
	uint16_t question_len;
	uint8_t question[GATE_QUESTION_MAX]; /* as it came, with the letters' case */
};

enum gate_parsed {
	GATE_PARSED_OK,
	GATE_PARSED_DROP,  /* no query, or too short for a reply: none goes back */
	GATE_PARSED_ERROR, /* *ret_rcode goes back */
};

/* Reads a message. *ret_query is usable for a reply unless GATE_PARSED_DROP; of a message that is malformed
 * before the end of its question, without a question. */
enum gate_parsed gate_query_parse(const uint8_t *message, size_t len, struct gate_query *ret_query,
				  struct dns_name *ret_name, enum gate_rcode *ret_rcode);

/* Whether all labels are of letters, digits, hyphens and underscores: others are never in a policy. */
bool gate_name_is_plain(const struct dns_name *name);
/* "a.example", bytes other than those as \DDD; the root is ".". Returns s. */
#define GATE_NAME_TEXT_MAX (4 * DNS_NAME_MAX + 1)
char *gate_name_text(const struct dns_name *name, char s[GATE_NAME_TEXT_MAX]);

/* A reply in the making. */
struct gate_reply {
	const struct gate_query *query;
	uint8_t *b;
	size_t len, max; /* max leaves room for EDNS */
	unsigned n_answers;
};

/* Into at least that many bytes, of which max may be used; max >= GATE_UDP_DEFAULT. */
void gate_reply_begin(struct gate_reply *reply, const struct gate_query *query, uint8_t *b,
		      size_t max);
/* Each puts one record of the question's name. False: there is no room, nothing was put. */
bool gate_reply_add(struct gate_reply *reply, unsigned type, uint32_t ttl_s, const void *data,
		    size_t len);
/* Returns the number of addresses of the family that fit into a reply. */
size_t gate_reply_room(const struct gate_query *query, enum family family, size_t max);
/* Ends it: the records do not count where the reply is truncated. Returns its length. */
size_t gate_reply_end(struct gate_reply *reply, enum gate_rcode rcode, enum gate_ede ede,
		      bool truncated);
/* A reply without records. Returns its length. */
size_t gate_reply_empty(const struct gate_query *query, enum gate_rcode rcode, enum gate_ede ede,
			uint8_t b[GATE_UDP_DEFAULT]);

#endif
