/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"

static void put_diag(struct json_writer *out, const struct diag *diag)
{
	unsigned line, column;

	json_write_open(out, NULL, '{');
	json_write_string(out, "message", diag->message);
	if (diag->hint)
		json_write_string(out, "hint", diag->hint);
	json_write_string(out, "pointer", diag->pointer);
	if (diag->loc.src)
		json_write_string(out, "file", diag->loc.src->name);
	loc_line_column(diag->loc, &line, &column);
	if (line) {
		json_write_int(out, "line", line);
		json_write_int(out, "column", column);
	}
	json_write_close(out, '}');
}

void ctl_put_diags(struct json_writer *out, const char *key, const struct diags *diags,
		   enum severity severity)
{
	json_write_open(out, key, '[');
	for (size_t i = 0; diags && i < diags->n; i++)
		if (diags->items[i].severity == severity)
			put_diag(out, &diags->items[i]);
	json_write_close(out, ']');
}

char *ctl_ok_json(const char *message, const struct diags *diags)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "status", "ok");
	if (message)
		json_write_string(&out, "message", message);
	if (diags && diags->count[SEVERITY_WARNING] > 0)
		ctl_put_diags(&out, "warnings", diags, SEVERITY_WARNING);
	json_write_close(&out, '}');
	return buf_steal(&b);
}

void ctl_reopen(struct buf *json, struct json_writer *ret_out)
{
	json->data[--json->len] = '\0';
	*ret_out = (struct json_writer){ .b = json, .more = json->data[json->len - 1] != '{' };
}

char *ctl_add_ignored(const char *json, const struct request *request)
{
	struct buf b = { 0 };
	struct json_writer out;

	buf_puts(&b, json);
	ctl_reopen(&b, &out);
	json_write_open(&out, "ignored", '[');
	for (size_t i = 0; i < request->n_ignored; i++)
		json_write_string(&out, NULL, request->ignored[i]);
	json_write_close(&out, ']');
	json_write_string(&out, "note", request->note);
	json_write_close(&out, '}');
	return buf_steal(&b);
}

char *ctl_sum_up(const struct diags *diags)
{
	size_t n = diags ? diags->count[SEVERITY_ERROR] : 0;

	for (size_t i = 0; n > 0 && i < diags->n; i++) {
		const struct diag *diag = &diags->items[i];

		if (diag->severity != SEVERITY_ERROR)
			continue;
		if (n == 1)
			return xasprintf("%s%s%s", diag->message, diag->hint ? "; " : "",
					 diag->hint ? diag->hint : "");
		return xasprintf("%s (and %zu more error%s)", diag->message, n - 1,
				 n > 2 ? "s" : "");
	}
	return xstrdup("failed");
}

char *ctl_error_json(const char *message, const struct diags *diags)
{
	cleanup(cleanup_free) char *summary = message ? NULL : ctl_sum_up(diags);
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "status", "error");
	json_write_string(&out, "message", message ? message : summary);
	ctl_put_diags(&out, "errors", diags, SEVERITY_ERROR);
	json_write_close(&out, '}');
	/* There are 20 diagnostics at most, but a JSON pointer can be as long as the request. */
	if (b.len >= REQUEST_MAX) {
		buf_reset(&b);
		buf_puts(&b, "{\"status\":\"error\",\"message\":\"the errors are longer than an "
			     "answer may be\",\"errors\":[]}");
	}
	return buf_steal(&b);
}
