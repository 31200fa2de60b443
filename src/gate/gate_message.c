/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_message.h"

#include <ctype.h>
#include <string.h>

#define OPT 41u
#define OPT_SIZE 11u /* without options */
#define EDE_OPTION 15u
#define EDE_SIZE 6u

static void put_u16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* ------------------------------------------------------------------ questions */

/* The question's name has no pointer: there is nothing before it that one could lead to. */
static bool read_question(struct dns_reader *r, struct gate_query *query, struct dns_name *ret_name)
{
	size_t begin = r->at;
	unsigned type, class;

	if (!dns_read_name(r, ret_name) || r->at - begin != ret_name->len ||
	    !dns_read_u16(r, &type) || !dns_read_u16(r, &class) || class != DNS_CLASS_IN)
		return false;
	query->type = (uint16_t)type;
	query->question_len = (uint16_t)(r->at - begin);
	memcpy(query->question, r->message + begin, query->question_len);
	return true;
}

static bool options_are_whole(const struct dns_reader *r, const struct dns_record *record)
{
	struct dns_reader data = { r->message, record->data + record->len, record->data };
	unsigned code, len;

	while (data.at < data.len) {
		if (!dns_read_u16(&data, &code) || !dns_read_u16(&data, &len) ||
		    len > data.len - data.at)
			return false;
		data.at += len;
	}
	return true;
}

/* dns_read_record() takes a TTL with its highest bit for 0, but that is part of our flags, which are not used. */
static bool read_edns(struct dns_reader *r, struct gate_query *query, enum gate_rcode *ret_rcode)
{
	struct dns_record record;
	size_t begin = r->at;

	if (!dns_read_record(r, &record) || record.owner.len != 1 || r->message[begin] != 0 ||
	    record.type != OPT || !options_are_whole(r, &record))
		return false;
	query->edns = true;
	if (record.class > query->udp_size)
		query->udp_size =
			record.class < GATE_UDP_MAX ? (uint16_t)record.class : GATE_UDP_MAX;
	*ret_rcode = r->message[begin + 6] == 0 ? GATE_NOERROR : GATE_BADVERS;
	return true;
}

enum gate_parsed gate_query_parse(const uint8_t *message, size_t len, struct gate_query *ret_query,
				  struct dns_name *ret_name, enum gate_rcode *ret_rcode)
{
	struct dns_reader r = { .message = message, .len = len };
	struct dns_header header;
	unsigned n_additional;

	if (!dns_read_header(&r, &header) || header.is_reply)
		return GATE_PARSED_DROP;
	n_additional = (unsigned)message[10] << 8 | message[11];
	ret_query->id = header.id;
	ret_query->type = 0;
	ret_query->udp_size = GATE_UDP_DEFAULT;
	ret_query->edns = false;
	ret_query->wants_recursion = message[2] & 1;
	ret_query->checking_disabled = message[3] & 0x10;
	ret_query->question_len = 0;
	*ret_rcode = header.opcode != 0 ? GATE_NOTIMP : GATE_FORMERR;
	/* Truncated, an answer's flags, or the bit that has to be zero. */
	if (header.opcode != 0 || (message[2] & 0x06) || (message[3] & 0xcf) ||
	    header.n_questions != 1 || header.n_answers != 0 || header.n_authorities != 0 ||
	    n_additional > 1)
		return GATE_PARSED_ERROR;
	if (!read_question(&r, ret_query, ret_name)) {
		ret_query->question_len = 0;
		return GATE_PARSED_ERROR;
	}
	*ret_rcode = GATE_NOERROR;
	if (n_additional == 1 && !read_edns(&r, ret_query, ret_rcode))
		*ret_rcode = GATE_FORMERR;
	if (r.at != len)
		*ret_rcode = GATE_FORMERR;
	return *ret_rcode == GATE_NOERROR ? GATE_PARSED_OK : GATE_PARSED_ERROR;
}

/* ------------------------------------------------------------------ names */

static bool is_plain(uint8_t c)
{
	return c < 0x80 && (isalnum(c) || c == '-' || c == '_');
}

bool gate_name_is_plain(const struct dns_name *name)
{
	for (size_t at = 0; name->b[at] != 0; at += 1u + name->b[at])
		for (size_t i = 1; i <= name->b[at]; i++)
			if (!is_plain(name->b[at + i]))
				return false;
	return true;
}

static char *put_byte(char *s, uint8_t c)
{
	if (is_plain(c) || c == '*') {
		*s++ = (char)c;
		return s;
	}
	*s++ = '\\';
	*s++ = (char)('0' + c / 100);
	*s++ = (char)('0' + c / 10 % 10);
	*s++ = (char)('0' + c % 10);
	return s;
}

char *gate_name_text(const struct dns_name *name, char s[GATE_NAME_TEXT_MAX])
{
	char *p = s;

	for (size_t at = 0; name->b[at] != 0; at += 1u + name->b[at]) {
		if (at > 0)
			*p++ = '.';
		for (size_t i = 1; i <= name->b[at]; i++)
			p = put_byte(p, name->b[at + i]);
	}
	if (p == s)
		*p++ = '.';
	*p = '\0';
	return s;
}

/* ------------------------------------------------------------------ replies */

void gate_reply_begin(struct gate_reply *reply, const struct gate_query *query, uint8_t *b,
		      size_t max)
{
	*reply = (struct gate_reply){ .query = query, .b = b };
	reply->max = max - (query->edns ? OPT_SIZE : 0);
	memset(b, 0, DNS_HEADER_SIZE);
	memcpy(b + DNS_HEADER_SIZE, query->question, query->question_len);
	reply->len = DNS_HEADER_SIZE + query->question_len;
}

bool gate_reply_add(struct gate_reply *reply, unsigned type, uint32_t ttl_s, const void *data,
		    size_t len)
{
	uint8_t *p = reply->b + reply->len;

	if (reply->len + 12 > reply->max || reply->max - reply->len - 12 < len || len > UINT16_MAX)
		return false;
	put_u16(p, 0xc000 | DNS_HEADER_SIZE);
	put_u16(p + 2, type);
	put_u16(p + 4, DNS_CLASS_IN);
	put_u16(p + 6, ttl_s >> 16);
	put_u16(p + 8, ttl_s & 0xffff);
	put_u16(p + 10, (unsigned)len);
	if (len > 0)
		memcpy(p + 12, data, len);
	reply->len += 12 + len;
	reply->n_answers++;
	return true;
}

size_t gate_reply_room(const struct gate_query *query, enum family family, size_t max)
{
	size_t cap = family == FAMILY_IPV4 ? GATE_ANSWER_ADDRS_MAX : GATE_ANSWER_ADDRS6_MAX;
	size_t used = DNS_HEADER_SIZE + query->question_len + (query->edns ? OPT_SIZE : 0);
	size_t room = (max - used) / (12 + family_bytes(family));

	return room < cap ? room : cap;
}

/* With an extended error where there is room. */
static void put_edns(struct gate_reply *reply, enum gate_rcode rcode, enum gate_ede ede)
{
	uint8_t *p = reply->b + reply->len;
	bool has_ede = ede != GATE_EDE_NONE && reply->max - reply->len >= EDE_SIZE;

	memset(p, 0, OPT_SIZE);
	put_u16(p + 1, OPT);
	put_u16(p + 3, GATE_UDP_MAX);
	p[5] = (uint8_t)(rcode >> 4);
	reply->len += OPT_SIZE;
	if (!has_ede)
		return;
	put_u16(p + 9, EDE_SIZE);
	put_u16(p + 11, EDE_OPTION);
	put_u16(p + 13, 2);
	put_u16(p + 15, (unsigned)ede);
	reply->len += EDE_SIZE;
}

size_t gate_reply_end(struct gate_reply *reply, enum gate_rcode rcode, enum gate_ede ede,
		      bool truncated)
{
	const struct gate_query *query = reply->query;

	if (truncated) {
		reply->len = DNS_HEADER_SIZE + query->question_len;
		reply->n_answers = 0;
	}
	if (query->edns)
		put_edns(reply, rcode, ede);
	put_u16(reply->b, query->id);
	reply->b[2] = (uint8_t)(0x80 | (truncated ? 2 : 0) | (query->wants_recursion ? 1 : 0));
	reply->b[3] = (uint8_t)(0x80 | (query->checking_disabled ? 0x10 : 0) | (rcode & 0xf));
	reply->b[5] = query->question_len > 0;
	put_u16(reply->b + 6, reply->n_answers);
	reply->b[11] = query->edns;
	return reply->len;
}

size_t gate_reply_empty(const struct gate_query *query, enum gate_rcode rcode, enum gate_ede ede,
			uint8_t b[GATE_UDP_DEFAULT])
{
	struct gate_reply reply;

	gate_reply_begin(&reply, query, b, GATE_UDP_DEFAULT);
	return gate_reply_end(&reply, rcode, ede, false);
}
