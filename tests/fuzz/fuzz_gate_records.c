/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name server sends anything: what we write of it anew has no compressed name, stays within bounds, and says the same
 * when it is read again. The first byte chooses the type; the rest is an answer to www.example.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "gate/gate_records.h"

#define must(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned types[] = { 257, 15, 35, 2, 12, 6, 33, 44, 52, 16, 1, 65 };

/* A message of these records alone. */
static void build(const struct dns_name *name, unsigned type, const struct buf *records,
		  struct buf *ret_message, unsigned *ret_n)
{
	const uint8_t *p = (const uint8_t *)records->data;

	for (size_t at = 0; at < records->len; (*ret_n)++) {
		size_t len = (size_t)p[at] << 8 | p[at + 1];
		const uint8_t head[] = {
			(uint8_t)(type >> 8), (uint8_t)type, 0, 1, 0, 0, 0, 1, p[at], p[at + 1]
		};

		must(at + 2 + len <= records->len);
		buf_add(ret_message, name->b, name->len);
		buf_add(ret_message, head, sizeof(head));
		buf_add(ret_message, p + at + 2, len);
		at += 2 + len;
	}
}

static void check(const struct dns_name *name, unsigned type, const struct buf *records)
{
	struct buf message = { 0 }, again = { 0 };
	struct dns_reader r = { 0 };
	uint32_t ttl_s = 0;
	unsigned n = 0;

	must(records->len <= GATE_RECORDS_BYTES_MAX);
	build(name, type, records, &message, &n);
	must(n <= GATE_RECORDS_MAX);
	r.message = (const uint8_t *)buf_str(&message);
	r.len = message.len;
	must(gate_records_read(&r, n, name, type, &again, &ttl_s));
	must(again.len == records->len &&
	     (again.len == 0 || memcmp(again.data, records->data, again.len) == 0));
	buf_free(&message);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_reader r = { 0 };
	struct buf records = { 0 };
	struct dns_header header;
	struct dns_name name;
	uint32_t ttl_s = 0;
	unsigned type;
	uint8_t *copy;

	if (size < 2)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	copy = malloc(size - 1);
	must(copy && dns_name_parse("www.example", &name));
	memcpy(copy, data + 1, size - 1);
	r.message = copy;
	r.len = size - 1;
	r.at = 0;
	if (dns_read_header(&r, &header) &&
	    gate_records_read(&r, header.n_answers, &name, type, &records, &ttl_s))
		check(&name, type, &records);
	buf_free(&records);
	free(copy);
	return 0;
}
