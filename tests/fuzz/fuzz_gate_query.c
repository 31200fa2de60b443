/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container sends anything: what we read is within bounds, and each reply to it is a message that holds together, is
 * no longer than it may be, and repeats the question. */
#include <stdlib.h>
#include <string.h>

#include "gate/gate_message.h"

/* Not assert(): it must hold under NDEBUG too. */
#define must(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All counts are true, and nothing trails. */
static void check_reply(const struct gate_query *query, const uint8_t *b, size_t len, size_t max)
{
	struct dns_reader r = { b, len, 0 };
	struct dns_header header;
	struct dns_record record;
	struct dns_name name;
	unsigned value;

	must(len <= max && dns_read_header(&r, &header) && header.is_reply &&
	     header.id == query->id);
	must(header.n_questions == (query->question_len > 0) && header.n_authorities == 0);
	if (query->question_len > 0) {
		must(memcmp(b + DNS_HEADER_SIZE, query->question, query->question_len) == 0);
		must(dns_read_name(&r, &name) && dns_read_u16(&r, &value) &&
		     dns_read_u16(&r, &value));
	}
	for (unsigned i = 0; i < header.n_answers + b[11]; i++)
		must(dns_read_record(&r, &record));
	must(r.at == len && b[11] == query->edns);
}

static void check_addresses(const struct gate_query *query, size_t max, enum family family)
{
	static uint8_t b[GATE_TCP_MAX];
	static const uint8_t addr[16] = { 1 };
	size_t room = gate_reply_room(query, family, max);
	struct gate_reply reply;

	must(room <= (family == FAMILY_IPV4 ? GATE_ANSWER_ADDRS_MAX : GATE_ANSWER_ADDRS6_MAX));
	gate_reply_begin(&reply, query, b, max);
	for (size_t i = 0; i < room; i++)
		must(gate_reply_add(&reply, query->type, 300, addr, family_bytes(family)));
	check_reply(query, b, gate_reply_end(&reply, GATE_NOERROR, GATE_EDE_OTHER, false), max);
	gate_reply_begin(&reply, query, b, max);
	while (gate_reply_add(&reply, query->type, 300, addr, sizeof(addr)))
		;
	check_reply(query, b, gate_reply_end(&reply, GATE_NOERROR, GATE_EDE_NONE, true), max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	uint8_t *copy = malloc(size ? size : 1), b[GATE_UDP_DEFAULT];
	char text[GATE_NAME_TEXT_MAX];
	struct gate_query query;
	struct dns_name name;
	enum gate_rcode rcode;
	enum gate_parsed parsed;

	must(copy);
	if (size)
		memcpy(copy, data, size);
	parsed = gate_query_parse(copy, size, &query, &name, &rcode);
	free(copy);
	if (parsed == GATE_PARSED_DROP)
		return 0;
	must(query.question_len <= GATE_QUESTION_MAX);
	must(query.udp_size >= GATE_UDP_DEFAULT && query.udp_size <= GATE_UDP_MAX);
	check_reply(&query, b, gate_reply_empty(&query, GATE_NXDOMAIN, GATE_EDE_PROHIBITED, b),
		    sizeof(b));
	if (parsed == GATE_PARSED_ERROR) {
		must(rcode != GATE_NOERROR);
		return 0;
	}
	must(query.question_len == name.len + 4);
	must(strlen(gate_name_text(&name, text)) < sizeof(text));
	check_addresses(&query, query.udp_size, FAMILY_IPV4);
	check_addresses(&query, query.udp_size, FAMILY_IPV6);
	check_addresses(&query, GATE_TCP_MAX, FAMILY_IPV4);
	return 0;
}
