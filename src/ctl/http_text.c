/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everybody who reaches the port may ask as often as he likes. So a text is good for everybody for a moment, and a tenth of the
 * time goes into making texts at most.
 */
#include "http_text.h"

#include <stdlib.h>

#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define AGE_MIN_MS 100
#define AGE_MAX_MS 10000 /* less than between two questions of Prometheus, as a rule */
#define REST 10		 /* times what it took to make */

static void keep(struct http_texts *texts, struct http_text *text, uint64_t took_ms)
{
	uint64_t age_ms = took_ms * REST;

	if (texts->last)
		http_text_drop(texts->last);
	text->holders++;
	texts->last = text;
	if (age_ms < AGE_MIN_MS)
		age_ms = AGE_MIN_MS;
	texts->until_ms = monotonic_ms() + (age_ms < AGE_MAX_MS ? age_ms : AGE_MAX_MS);
}

struct http_text *http_texts_take(struct http_texts *texts, http_text_fn *make, const void *data)
{
	uint64_t start_ms = monotonic_ms();
	struct http_text *text = texts->last;

	if (!text || start_ms >= texts->until_ms) {
		/* Those who read slowly hold old texts. */
		if (texts->bytes > HTTP_TEXTS_MAX)
			return NULL;
		text = xcalloc(1, sizeof(*text));
		text->of = texts;
		make(data, &text->b);
		texts->bytes += text->b.len;
		keep(texts, text, monotonic_ms() - start_ms);
	}
	text->holders++;
	return text;
}

void http_text_drop(struct http_text *text)
{
	if (--text->holders > 0)
		return;
	text->of->bytes -= text->b.len;
	buf_free(&text->b);
	free(text);
}

void http_texts_free(struct http_texts *texts)
{
	if (texts->last)
		http_text_drop(texts->last);
	texts->last = NULL;
}
