/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name server may answer our question with any bytes: memory stays in bounds, there is an end,
 * and only addresses of the family that we asked for come out.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/system/dns_message.h"

#include "must.h"

static void check(const struct dns_answer *answer, enum dns_type type)
{
	must(answer->n_addrs <= DNS_ADDRS_MAX);
	must((answer->n_addrs > 0) == (answer->verdict == DNS_ADDRESSES));
	for (size_t i = 0; i < answer->n_addrs; i++)
		must(dns_type_of(answer->addrs[i].family) == type);
}

/* The first byte says what was asked; the question's bytes are put in, which no fuzzer would guess. */
static void answer(const uint8_t *data, size_t size)
{
	enum dns_type type = data[0] & 1 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	uint8_t query[DNS_QUERY_MAX], *message;
	struct dns_answer answer;
	struct dns_name name;
	size_t n;

	must(dns_name_parse("www.example", &name));
	n = dns_query_write(&name, type, 4711, query);
	data++;
	size--;
	message = malloc(size ? size : 1);
	must(message);
	memcpy(message, data, size);
	if (size >= n) {
		memcpy(message, query, 2);
		memcpy(message + DNS_HEADER_SIZE, query + DNS_HEADER_SIZE, n - DNS_HEADER_SIZE);
		if (dns_is_reply_to(message, size, query, n)) {
			dns_answer_read(message, size, query, n, &answer);
			check(&answer, type);
		}
	} else {
		must(!dns_is_reply_to(message, size, query, n));
	}
	free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		answer(data, size);
	return 0;
}
