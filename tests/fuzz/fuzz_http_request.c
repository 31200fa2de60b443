/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an HTTP request: they are judged alike however they come in parts, no judgement is taken back by what follows,
 * and what is answered has the form that it must have.
 */
#include <string.h>

#include "ctl/http_request.h"

#include "must.h"

/* By a copy of the exact size, so that ASan sees a read past the end. */
static enum http_status judge(const uint8_t *data, size_t size, bool *ret_head)
{
	char *copy = malloc(size ? size : 1);
	enum http_status status;

	must(copy);
	if (size)
		memcpy(copy, data, size);
	status = http_request_judge(copy, size, ret_head);
	free(copy);
	return status;
}

static void check_answered(const uint8_t *data, size_t size, bool head)
{
	const char *method = head ? "HEAD /metrics" : "GET /metrics";

	must(size >= strlen(method) && memcmp(data, method, strlen(method)) == 0);
	must(memmem(data, size, " HTTP/1.", 8) && memmem(data, size, "\r\n\r\n", 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool head, head_before;
	enum http_status status = judge(data, size, &head), before = HTTP_UNFINISHED;

	if (status == HTTP_OK)
		check_answered(data, size, head);
	if (status == HTTP_UNFINISHED)
		must(size <= HTTP_REQUEST_MAX);
	/* The server judges after each part, and answers the first time that it can. */
	for (size_t i = 0; size <= 512 && before == HTTP_UNFINISHED && i <= size; i++)
		before = judge(data, i, &head_before);
	if (size <= 512)
		must(before == status && (status == HTTP_UNFINISHED || head_before == head));
	return 0;
}
