/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/dns_message.h"

#include <string.h>

#define LABEL_MAX 63u
#define POINTER 0xc0u /* both bits: a pointer; one of them alone means nothing */
#define TTL_MAX 0x7fffffffu

/* ------------------------------------------------------------------ names */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Room for the root's label stays free. */
static bool add_label(struct dns_name *name, const uint8_t *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || name->len + 1 + len + 1 > DNS_NAME_MAX)
		return false;
	name->b[name->len++] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		name->b[name->len++] = lower(s[i]);
	return true;
}

static void end_name(struct dns_name *name)
{
	name->b[name->len++] = 0;
}

bool dns_name_parse(const char *s, struct dns_name *ret_name)
{
	struct dns_name name = { .len = 0 };

	do {
		size_t len = strcspn(s, ".");

		if (!add_label(&name, (const uint8_t *)s, len))
			return false;
		s += len;
		s += *s == '.';
	} while (*s);
	end_name(&name);
	*ret_name = name;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* ------------------------------------------------------------------ questions */

enum dns_type dns_type_of(enum family family)
{
	return family == FAMILY_IPV4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static void put_u16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

size_t dns_query_write(const struct dns_name *name, enum dns_type type, uint16_t id,
		       uint8_t ret_query[DNS_QUERY_MAX])
{
	memset(ret_query, 0, DNS_HEADER_SIZE);
	put_u16(ret_query, id);
	ret_query[2] = 1; /* recursion desired */
	ret_query[5] = 1; /* one question */
	memcpy(ret_query + DNS_HEADER_SIZE, name->b, name->len);
	put_u16(ret_query + DNS_HEADER_SIZE + name->len, type);
	put_u16(ret_query + DNS_HEADER_SIZE + name->len + 2, DNS_CLASS_IN);
	return DNS_HEADER_SIZE + name->len + 4;
}

/* ------------------------------------------------------------------ readers */

bool dns_read_u16(struct dns_reader *r, unsigned *ret_value)
{
	if (r->at > r->len || r->len - r->at < 2)
		return false;
	*ret_value = (unsigned)r->message[r->at] << 8 | r->message[r->at + 1];
	r->at += 2;
	return true;
}

static bool read_u32(struct dns_reader *r, uint32_t *ret_value)
{
	unsigned high, low;

	if (!dns_read_u16(r, &high) || !dns_read_u16(r, &low))
		return false;
	*ret_value = (uint32_t)high << 16 | low;
	return true;
}

bool dns_read_header(struct dns_reader *r, struct dns_header *ret_header)
{
	unsigned id, flags, counts[4];

	if (!dns_read_u16(r, &id) || !dns_read_u16(r, &flags))
		return false;
	for (size_t i = 0; i < 4; i++)
		if (!dns_read_u16(r, &counts[i]))
			return false;
	*ret_header = (struct dns_header){
		.id = (uint16_t)id,
		.is_reply = flags & 0x8000u,
		.opcode = flags >> 11 & 0xfu,
		.authoritative = flags & 0x0400u,
		.truncated = flags & 0x0200u,
		.recursive = flags & 0x0080u,
		.rcode = flags & 0xfu,
		.n_questions = counts[0],
		.n_answers = counts[1],
		.n_authorities = counts[2],
	};
	return true;
}

bool dns_read_name(struct dns_reader *r, struct dns_name *ret_name)
{
	struct dns_name name = { .len = 0 };
	size_t at = r->at, start = at, end = 0, pointers = 0;

	for (;;) {
		size_t len;

		if (at >= r->len)
			return false;
		len = r->message[at];
		if ((len & POINTER) == POINTER) {
			size_t to;

			if (r->len - at < 2)
				return false;
			to = (len & ~(size_t)POINTER) << 8 | r->message[at + 1];
			/* Each leads to before where the last one led, so that there is an end; a name of 255
			 * bytes has at most 127 labels, and no use for more pointers than that. */
			if (to >= start || ++pointers > 127)
				return false;
			if (end == 0)
				end = at + 2;
			at = start = to;
			continue;
		}
		at++;
		if (len == 0)
			break;
		if (len > LABEL_MAX || r->len - at < len || !add_label(&name, r->message + at, len))
			return false;
		at += len;
	}
	end_name(&name);
	r->at = end ? end : at;
	*ret_name = name;
	return true;
}

bool dns_read_record(struct dns_reader *r, struct dns_record *ret_record)
{
	struct dns_record record;
	unsigned len;

	if (!dns_read_name(r, &record.owner) || !dns_read_u16(r, &record.type) ||
	    !dns_read_u16(r, &record.class) || !read_u32(r, &record.ttl_s) ||
	    !dns_read_u16(r, &len) || r->len - r->at < len)
		return false;
	if (record.ttl_s > TTL_MAX) /* RFC 2181, section 8 */
		record.ttl_s = 0;
	record.data = r->at;
	record.len = len;
	r->at += len;
	*ret_record = record;
	return true;
}

bool dns_read_alias(const struct dns_reader *r, const struct dns_record *record,
		    struct dns_name *ret_name)
{
	struct dns_reader data = { r->message, r->len, record->data };
	struct dns_name name;

	if (!dns_read_name(&data, &name) || data.at != record->data + record->len)
		return false;
	*ret_name = name;
	return true;
}

bool dns_is_reply_to(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len)
{
	struct dns_reader r = { .message = message, .len = len };
	struct dns_header header;

	return len >= query_len && memcmp(message, query, 2) == 0 && dns_read_header(&r, &header) &&
	       header.is_reply && header.opcode == 0 && header.n_questions == 1 &&
	       memcmp(message + DNS_HEADER_SIZE, query + DNS_HEADER_SIZE,
		      query_len - DNS_HEADER_SIZE) == 0;
}

/* ------------------------------------------------------------------ answers */

void dns_section_note(struct dns_section *section, const struct dns_record *record)
{
	if (record->ttl_s < section->ttl_s)
		section->ttl_s = record->ttl_s;
}

bool dns_section_has(const struct dns_section *section, const struct dns_record *record,
		     unsigned type)
{
	return record->type == type && record->class == DNS_CLASS_IN &&
	       dns_name_equal(&record->owner, &section->name);
}

/* The first alias of the name. Returns false where the records are malformed. */
static bool find_alias(struct dns_section *section, bool *ret_found)
{
	struct dns_reader r = section->records;
	struct dns_record record;

	*ret_found = false;
	for (unsigned i = 0; i < section->n; i++) {
		if (!dns_read_record(&r, &record))
			return false;
		if (*ret_found || !dns_section_has(section, &record, DNS_TYPE_CNAME))
			continue;
		if (!dns_read_alias(&r, &record, &section->name))
			return false;
		dns_section_note(section, &record);
		*ret_found = true;
	}
	return true;
}

bool dns_section_follow(struct dns_section *section)
{
	bool found = true;

	for (unsigned i = 0; found; i++)
		if (i > DNS_ALIASES_MAX || !find_alias(section, &found))
			return false;
	return true;
}

static bool take_addresses(struct dns_section *section, unsigned type, struct dns_answer *answer)
{
	enum family family = type == DNS_TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;
	struct dns_reader r = section->records;
	struct dns_record record;

	if (type != DNS_TYPE_A && type != DNS_TYPE_AAAA)
		return true;
	for (unsigned i = 0; i < section->n; i++) {
		if (!dns_read_record(&r, &record))
			return false;
		if (!dns_section_has(section, &record, type))
			continue;
		if (record.len != family_bytes(family))
			return false;
		dns_section_note(section, &record);
		if (answer->n_addrs < DNS_ADDRS_MAX)
			answer->addrs[answer->n_addrs++] =
				ipaddr_from_bytes(family, r.message + record.data);
	}
	return true;
}

/* A negative answer holds for the SOA's TTL or for its last field, whichever is smaller. */
static uint32_t negative_ttl(struct dns_reader r, const struct dns_header *header)
{
	struct dns_record record;

	for (unsigned i = 0; i < header->n_answers; i++)
		if (!dns_read_record(&r, &record))
			return 0;
	for (unsigned i = 0; i < header->n_authorities; i++) {
		struct dns_reader data = r;
		uint32_t minimum;

		if (!dns_read_record(&r, &record))
			return 0;
		if (record.type != DNS_TYPE_SOA || record.class != DNS_CLASS_IN || record.len < 4)
			continue;
		data.at = record.data + record.len - 4;
		if (!read_u32(&data, &minimum))
			return 0;
		return record.ttl_s < minimum ? record.ttl_s : minimum;
	}
	return 0;
}

static enum dns_verdict follow(struct dns_section *section, unsigned type,
			       struct dns_answer *answer)
{
	if (!dns_section_follow(section) || !take_addresses(section, type, answer))
		return DNS_USELESS;
	answer->ttl_s = section->ttl_s != UINT32_MAX ? section->ttl_s : 0;
	return answer->n_addrs > 0 ? DNS_ADDRESSES : DNS_NO_DATA;
}

/* A server that neither knows nor asks others: what it says is no answer. */
static bool is_referral(const struct dns_header *header)
{
	return header->n_answers == 0 && !header->authoritative && !header->recursive;
}

void dns_answer_read(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len,
		     struct dns_answer *ret_answer)
{
	struct dns_reader r = { .message = message, .len = len }, q = { .message = query };
	struct dns_section section = { .ttl_s = UINT32_MAX };
	struct dns_header header;
	unsigned type;

	ret_answer->verdict = DNS_USELESS;
	ret_answer->n_addrs = 0;
	ret_answer->ttl_s = 0;
	q.len = query_len;
	q.at = DNS_HEADER_SIZE;
	if (!dns_read_header(&r, &header) || !dns_read_name(&q, &section.name) ||
	    !dns_read_u16(&q, &type) || len < query_len)
		return;
	r.at = query_len;
	section.records = r;
	section.n = header.n_answers;
	if (header.rcode == DNS_RCODE_SERVFAIL)
		ret_answer->verdict = DNS_SERVFAIL;
	else if (header.rcode == DNS_RCODE_REFUSED)
		ret_answer->verdict = DNS_REFUSED;
	else if (header.truncated && header.rcode == DNS_RCODE_OK)
		ret_answer->verdict = DNS_TRUNCATED;
	else if (header.rcode == DNS_RCODE_NXDOMAIN)
		ret_answer->verdict = DNS_NO_NAME;
	else if (header.rcode == DNS_RCODE_OK && !is_referral(&header))
		ret_answer->verdict = follow(&section, type, ret_answer);
	if (ret_answer->verdict == DNS_USELESS)
		ret_answer->n_addrs = 0;
	else if (ret_answer->verdict == DNS_NO_NAME || ret_answer->verdict == DNS_NO_DATA)
		ret_answer->ttl_s = negative_ttl(section.records, &header);
}
