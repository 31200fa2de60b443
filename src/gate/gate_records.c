/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_records.h"

#include <stdio.h>
#include <string.h>

#include "dockside/base/util.h"

/* A record's data consist of these parts, in order: 1, 2, 4: so many bytes; n: a name; s: a length and so many bytes; t: one
 * or more of such until the end; x: whatever is left. */
static const struct {
	const char *name;
	unsigned type;
	const char *parts;
} types[GATE_N_TYPES] = {
	{ "CAA", 257, "1sx" }, { "MX", 15, "2n" },     { "NAPTR", 35, "22sssn" },
	{ "NS", 2, "n" },      { "PTR", 12, "n" },     { "SOA", 6, "nn44444" },
	{ "SRV", 33, "222n" }, { "SSHFP", 44, "11x" }, { "TLSA", 52, "111x" },
	{ "TXT", 16, "t" },
};

uint32_t gate_type_bit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return 1u << i;
	return 0;
}

uint32_t gate_type_bit_of(unsigned type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return 1u << i;
	return 0;
}

static const char *parts_of(unsigned type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return types[i].parts;
	return NULL;
}

char *gate_type_text(unsigned type, char s[GATE_TYPE_TEXT_MAX])
{
	static const struct {
		unsigned type;
		const char *name;
	} others[] = { { 1, "A" },     { 5, "CNAME" },	{ 28, "AAAA" },
		       { 64, "SVCB" }, { 65, "HTTPS" }, { 255, "ANY" } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type) {
			snprintf(s, GATE_TYPE_TEXT_MAX, "%s", types[i].name);
			return s;
		}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].type == type) {
			snprintf(s, GATE_TYPE_TEXT_MAX, "%s", others[i].name);
			return s;
		}
	snprintf(s, GATE_TYPE_TEXT_MAX, "TYPE%u", type & 0xffff);
	return s;
}

/* ------------------------------------------------------------------ the data of one record */

static bool copy_bytes(struct dns_reader *r, size_t n, struct buf *b)
{
	if (r->len - r->at < n)
		return false;
	buf_add(b, r->message + r->at, n);
	r->at += n;
	return true;
}

static bool copy_string(struct dns_reader *r, struct buf *b)
{
	return r->at < r->len && copy_bytes(r, 1u + r->message[r->at], b);
}

static bool copy_name(struct dns_reader *r, struct buf *b)
{
	struct dns_name name;

	if (!dns_read_name(r, &name))
		return false;
	buf_add(b, name.b, name.len);
	return true;
}

static bool copy_part(struct dns_reader *r, char part, struct buf *b)
{
	bool ok;

	switch (part) {
	case 'n':
		return copy_name(r, b);
	case 's':
		return copy_string(r, b);
	case 't':
		do
			ok = copy_string(r, b);
		while (ok && r->at < r->len);
		return ok;
	case 'x':
		return copy_bytes(r, r->len - r->at, b);
	default:
		return copy_bytes(r, (size_t)(part - '0'), b);
	}
}

/* A reader that ends with the record's data: a name in it may lead back to before them. */
static bool copy_data(const struct dns_reader *reader, const struct dns_record *record,
		      const char *parts, struct buf *b)
{
	struct dns_reader r = { reader->message, record->data + record->len, record->data };

	for (; *parts; parts++)
		if (!copy_part(&r, *parts, b))
			return false;
	return r.at == r.len;
}

static bool add_record(const struct dns_reader *reader, const struct dns_record *record,
		       const char *parts, struct buf *records)
{
	size_t begin = records->len, len;

	buf_add(records, "\0", 2);
	if (!copy_data(reader, record, parts, records))
		return false;
	len = records->len - begin - 2;
	if (records->len > GATE_RECORDS_BYTES_MAX) {
		records->len = begin;
		return true;
	}
	records->data[begin] = (char)(len >> 8);
	records->data[begin + 1] = (char)len;
	return true;
}

/* ------------------------------------------------------------------ the answer section */

static bool take_records(struct dns_section *s, unsigned type, const char *parts,
			 struct buf *records)
{
	struct dns_reader r = s->records;
	struct dns_record record;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (!dns_read_record(&r, &record))
			return false;
		if (!dns_section_has(s, &record, type) || n == GATE_RECORDS_MAX)
			continue;
		if (!add_record(&r, &record, parts, records))
			return false;
		dns_section_note(s, &record);
		n++;
	}
	return true;
}

bool gate_records_read(const struct dns_reader *reader, unsigned n, const struct dns_name *name,
		       unsigned type, struct buf *ret_records, uint32_t *ret_ttl_s)
{
	struct dns_section s = { .records = *reader, .n = n, .name = *name, .ttl_s = UINT32_MAX };
	const char *parts = parts_of(type);

	if (!parts || !dns_section_follow(&s) || !take_records(&s, type, parts, ret_records))
		return false;
	if (ret_records->len > 0)
		*ret_ttl_s = s.ttl_s;
	return true;
}
