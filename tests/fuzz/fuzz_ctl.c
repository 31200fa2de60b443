/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request from its text to new configuration files, against a configuration that has everything a
 * request can touch. The new files must be readable again, and accepted ones a fixed point. Or to
 * an explanation. And the request ends at the same place however it is cut, and not before its
 * object is closed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_frame.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/edit.h"
#include "dockside/ctl/explain_request.h"
#include "dockside/json/json_write.h"
#include "dockside/policy/config.h"
#include "dockside/report/explain_json.h"
#include "dockside/table/compile.h"

#include "must.h"

static bool changes_files(enum request_action action)
{
	switch (action) {
	case REQUEST_APPLY:
	case REQUEST_SET_NETWORK:
	case REQUEST_REMOVE_NETWORK:
	case REQUEST_SET_IPSET:
	case REQUEST_ADD_IPSET:
	case REQUEST_DEL_IPSET:
	case REQUEST_REMOVE_IPSET:
	case REQUEST_ALLOW:
	case REQUEST_DENY:
		return true;
	case REQUEST_STATUS:
	case REQUEST_RELOAD:
	case REQUEST_REFRESH:
	case REQUEST_RECONCILE:
	case REQUEST_EXPLAIN:
	case REQUEST_METRICS:
	case REQUEST_DENIED:
		return false;
	}
	return false;
}

static const char network_text[] =
	"{\"_note\": \"kept\", \"networks\": ["
	"{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\", \"dockside_ip\": \"192.0.2.9\"},"
	"{\"name\": \"comment\", \"subnet\": \"198.51.100.0/24\", \"subnet6\": "
	"\"2001:db8::/64\"}]}";
static const char firewall_text[] =
	"{\"ipsets\": {\"web\": [\"example.com\"], \"db\": []}, // lists\n\"networks\": "
	"{\"amber\": {"
	"\"egress\": [\n{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": "
	"\"web\"}, // web\n{\"action\": \"drop\"}\n], \"nat\": [], \"host\": []}}}";

static struct src make_src(const char *name, const void *text, size_t len)
{
	return (struct src){
		.name = xstrdup(name),
		/* Not xstrndup(): the text may have a NUL inside. */
		.text = memcpy(xcalloc(len + 1, 1), text, len),
		.len = len,
	};
}

static struct src text_src(const char *text)
{
	return make_src("file", text, strlen(text));
}

/* Written anew, a tree must read back and be written the same. */
static void check_round_trip(const struct request *request)
{
	static const struct json_layout layout = { "\n", "", "  ", true };
	struct buf once = { 0 }, twice = { 0 };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct src src;

	json_write_block(&once, request->tree.root, &layout);
	src = text_src(buf_str(&once));
	if (!json_parse(&src, &tree, &diags))
		abort();
	json_write_block(&twice, tree.root, &layout);
	if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
		abort();
	json_tree_free(&tree);
	diags_free(&diags);
	src_free(&src);
	buf_free(&once);
	buf_free(&twice);
}

/* The files of an accepted request, which then must leave them as they are. */
static void check_fixed_point(const struct request *request, const struct policy *policy)
{
	struct diags diags = { 0 };
	struct edit again = { 0 };

	if (request->action == REQUEST_REMOVE_NETWORK || request->action == REQUEST_REMOVE_IPSET ||
	    request->action == REQUEST_DEL_IPSET)
		return;
	if (!edit_files(request, policy, &again, &diags) || again.network_text ||
	    again.firewall_text)
		abort();
	edit_free(&again);
	diags_free(&diags);
}

static void run_edit(const struct request *request)
{
	struct policy before = { .network_src = text_src(network_text),
				 .firewall_src = text_src(firewall_text) };
	struct diags diags = { 0 }, config_diags = { 0 };
	struct policy policy = { 0 };
	struct edit edit = { 0 };

	if (!config_parse(&before, &config_diags))
		abort();
	if (edit_files(request, &before, &edit, &diags)) {
		policy.network_src = text_src(edit.network_text ? edit.network_text : network_text);
		policy.firewall_src =
			text_src(edit.firewall_text ? edit.firewall_text : firewall_text);
		if (config_parse(&policy, &config_diags))
			check_fixed_point(request, &policy);
		else if (config_diags.count[SEVERITY_ERROR] == 0)
			abort();
	} else if (diags.count[SEVERITY_ERROR] == 0) {
		abort();
	}
	edit_free(&edit);
	diags_free(&config_diags);
	policy_free(&policy);
	policy_free(&before);
	diags_free(&diags);
}

/* The answer must be JSON. */
static void check_answer(const struct buf *answer)
{
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct src src = make_src("answer", answer->data, answer->len);

	if (!json_parse(&src, &tree, &diags))
		abort();
	json_tree_free(&tree);
	diags_free(&diags);
	src_free(&src);
}

static void run_explain(const struct request *request)
{
	static const struct plan_options options = { .mark_bit = 1 };
	struct policy policy = { .network_src = text_src(network_text),
				 .firewall_src = text_src(firewall_text) };
	struct explain_world world = { .policy = &policy };
	struct explain_question question;
	struct diags diags = { 0 };
	struct resolved resolved = { 0 };
	struct plan plan = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };

	if (!config_parse(&policy, &diags))
		abort();
	resolved_collect(&policy, &resolved);
	compile_policy(&policy, &resolved, &options, &plan);
	world.plan = &plan;
	if (explain_request_read(request, &question, &err) >= 0 &&
	    explain_answer(&question, &world, &b, &err) >= 0)
		check_answer(&b);
	else if (!err.text)
		abort();
	buf_free(&b);
	err_free(&err);
	plan_free(&plan);
	resolved_free(&resolved);
	diags_free(&diags);
	policy_free(&policy);
}

/* The offset of the line feed that ends the text, fed by so many bytes; SIZE_MAX: none does. */
static size_t frame_end(const char *text, size_t len, size_t step)
{
	struct ctl_frame frame = { 0 };
	size_t at;

	for (size_t i = 0; i < len; i += step)
		if (ctl_frame_feed(&frame, text + i, step < len - i ? step : len - i, &at))
			return i + at;
	return SIZE_MAX;
}

static void check_frame(const struct request *request, bool good)
{
	size_t len = request->src.len, end;
	const char *begin = request->src.text + strspn(request->src.text, " \t\r");
	const char *brace = memrchr(request->src.text, '}', len);
	cleanup(cleanup_free) char *line = xcalloc(len + 2, 1);

	memcpy(line, request->src.text, len);
	line[len] = '\n';
	end = frame_end(line, len + 1, len + 1);
	if (frame_end(line, len + 1, 1) != end || frame_end(line, len + 1, 7) != end)
		abort();
	/* With a brace in a comment behind it the object may end sooner. */
	if (good && *begin == '{' && !strstr(request->src.text, "/") &&
	    (end == SIZE_MAX || end < (size_t)(brace - request->src.text)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request = { 0 };
	struct diags diags = { 0 };

	request.src = make_src("request", data, size);
	if (request_parse(&request, 0, &diags)) {
		check_frame(&request, true);
		check_round_trip(&request);
		if (changes_files(request.action))
			run_edit(&request);
		if (request.action == REQUEST_EXPLAIN)
			run_explain(&request);
	} else if (diags.count[SEVERITY_ERROR] == 0) {
		abort();
	} else {
		check_frame(&request, false);
	}
	diags_free(&diags);
	request_free(&request);
	return 0;
}
