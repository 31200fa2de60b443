/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_resolver.h"

#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

#define DNS_PORT 53
#define NAMED_MAX 8 /* networks that a message names */

/* ---- whom Docker asks ---- */

static bool is_loopback(const char *s, size_t len)
{
	struct ipaddr addr;

	return ipaddr_parse(s, len, &addr) && ipaddr_is_loopback(&addr);
}

bool resolver_on_loopback(const char *resolv_conf, char ret_addr[ADDR_STRLEN])
{
	static const char keyword[] = "nameserver";
	const size_t keyword_len = sizeof(keyword) - 1;

	for (const char *line = resolv_conf; *line;) {
		size_t line_len = strcspn(line, "\n");
		const char *s = line + strspn(line, " \t");

		line += line_len + (line[line_len] == '\n');
		if (strncmp(s, keyword, keyword_len) != 0 || !strchr(" \t", s[keyword_len]) ||
		    !s[keyword_len])
			continue;
		s += keyword_len + strspn(s + keyword_len, " \t");
		if (!is_loopback(s, strcspn(s, " \t\r\n%#;")))
			continue;
		snprintf(ret_addr, ADDR_STRLEN, "%.*s", (int)strcspn(s, " \t\r\n%#;"), s);
		return true;
	}
	return false;
}

bool resolver_of_docker(const char *daemon_json)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = { .name = xstrdup("daemon.json"),
			   .text = xstrdup(daemon_json),
			   .len = strlen(daemon_json) };
	struct diags diags = { 0 };
	const struct json_node *dns = NULL;
	bool good;

	if (json_parse(&src, &tree, &diags))
		dns = json_member(tree.root, "dns", JSON_ARRAY);
	good = dns && dns->u.children.n > 0;
	for (size_t i = 0; good && i < dns->u.children.n; i++) {
		const struct json_node *item = &dns->u.children.items[i];

		good = item->kind == JSON_STRING &&
		       !is_loopback(item->u.string.s, item->u.string.len);
	}
	diags_free(&diags);
	src_free(&src);
	return good;
}

/* ---- whose rules it gets around ---- */

/* Its rules deny by default, and do not allow DNS to everywhere. */
static bool is_evaded(const struct network *network)
{
	if (network->audit || !network_denies(network))
		return false;
	for (size_t i = 0; i < network->n_egress; i++)
		if (network->egress[i].to == DEST_ALL &&
		    rule_allows_udp(&network->egress[i], DNS_PORT))
			return false;
	return true;
}

char *resolver_leak(const struct policy *policy, const char *addr)
{
	struct buf names = { 0 };
	char *text = NULL;
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		if (!is_evaded(&policy->networks[i]))
			continue;
		if (n++ < NAMED_MAX)
			buf_printf(&names, "%s%s", n > 1 ? ", " : "", policy->networks[i].name);
	}
	if (n > NAMED_MAX)
		buf_printf(&names, " and %zu more", n - NAMED_MAX);
	if (n > 0)
		text = xasprintf(
			"%s: containers can send any name to the outside, as a DNS question: "
			"for them Docker asks the host's resolver %s from the host itself, "
			"where no rule judges it; to mend it: give Docker resolvers that are "
			"not on the loopback (\"dns\" in /etc/docker/daemon.json), restart it, "
			"and allow DNS to these alone",
			buf_str(&names), addr);
	buf_free(&names);
	return text;
}
