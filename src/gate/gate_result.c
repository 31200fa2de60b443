/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_result.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "gate_records.h"

#define CACHE_MIN_S 1u /* or a container could have name servers asked without end */
#define CACHE_MAX_S 3600u
#define NEGATIVE_MIN_S 1u
#define NEGATIVE_MAX_S 60u
#define FAILED_MS 1000u

static uint64_t negative_until(uint64_t now_ms, uint32_t ttl_s)
{
	if (ttl_s < NEGATIVE_MIN_S)
		ttl_s = NEGATIVE_MIN_S;
	return now_ms + UINT64_C(1000) * (ttl_s < NEGATIVE_MAX_S ? ttl_s : NEGATIVE_MAX_S);
}

static uint64_t until(uint64_t now_ms, uint32_t ttl_s)
{
	if (ttl_s < CACHE_MIN_S)
		ttl_s = CACHE_MIN_S;
	return now_ms + UINT64_C(1000) * (ttl_s < CACHE_MAX_S ? ttl_s : CACHE_MAX_S);
}

/* Each address once. */
static struct gate_entry *put_addrs(struct gate_cache *cache, const struct gate_asked *asked,
				    const struct dns_answer *answer)
{
	uint8_t data[DNS_ADDRS_MAX * 16];
	size_t n = 0;

	for (size_t i = 0; i < answer->n_addrs; i++) {
		size_t size = family_bytes(answer->addrs[i].family), k = 0;

		while (k < n && memcmp(data + k * size, answer->addrs[i].b, size) != 0)
			k++;
		if (k == n)
			memcpy(data + n++ * size, answer->addrs[i].b, size);
	}
	return gate_cache_put(cache, asked->name, asked->type, GATE_ADDRESSES, data,
			      n * (asked->type == DNS_TYPE_A ? 4 : 16), n,
			      until(asked->now_ms, answer->ttl_s));
}

static struct gate_entry *put_records(struct gate_cache *cache, const struct gate_asked *asked,
				      const struct dns_upstream_result *result)
{
	struct dns_reader reader = { result->message, result->len, 0 };
	struct buf records = { 0 };
	struct dns_header header;
	struct gate_entry *entry;
	uint32_t ttl_s = 0;
	enum gate_outcome outcome = GATE_FAILED;
	uint64_t until_ms = asked->now_ms + FAILED_MS;

	if (dns_read_header(&reader, &header)) {
		reader.at = result->question_end;
		if (!gate_records_read(&reader, header.n_answers, asked->name, asked->type,
				       &records, &ttl_s)) {
			buf_reset(&records);
		} else if (records.len > 0) {
			outcome = GATE_RECORDS;
			until_ms = until(asked->now_ms, ttl_s);
		} else {
			outcome = GATE_NO_DATA;
			until_ms = negative_until(asked->now_ms, result->answer->ttl_s);
		}
	}
	entry = gate_cache_put(cache, asked->name, asked->type, outcome, records.data, records.len,
			       0, until_ms);
	buf_free(&records);
	return entry;
}

struct gate_entry *gate_result_keep(struct gate_cache *cache, const struct gate_asked *asked,
				    const struct dns_upstream_result *result)
{
	enum gate_outcome outcome = GATE_FAILED;
	uint64_t until_ms = asked->now_ms + FAILED_MS;

	if (result->status == DNS_UPSTREAM_ANSWERED) {
		if (result->answer->verdict == DNS_ADDRESSES)
			return put_addrs(cache, asked, result->answer);
		if (result->answer->verdict == DNS_NO_DATA && asked->type != DNS_TYPE_A &&
		    asked->type != DNS_TYPE_AAAA)
			return put_records(cache, asked, result);
		outcome = result->answer->verdict == DNS_NO_NAME ? GATE_NO_NAME : GATE_NO_DATA;
		until_ms = negative_until(asked->now_ms, result->answer->ttl_s);
	}
	return gate_cache_put(cache, asked->name, asked->type, outcome, NULL, 0, 0, until_ms);
}
