/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_resolver.h"

#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

#define NAMED_MAX 8 /* networks that a message names */

/* ---- whom Docker asks ---- */

static bool is_loopback(const char *s, size_t len)
{
	struct ipaddr addr;

	return ipaddr_parse(s, len, &addr) && ipaddr_is_loopback(&addr);
}

/* The address of the first "nameserver" at or behind *text, with its length, and *text behind that line; NULL: there
 * is none. */
static const char *next_nameserver(const char **text, size_t *ret_len)
{
	static const char keyword[] = "nameserver";
	const size_t keyword_len = sizeof(keyword) - 1;

	while (**text) {
		size_t line_len = strcspn(*text, "\n");
		const char *s = *text + strspn(*text, " \t");

		*text += line_len + ((*text)[line_len] == '\n');
		if (strncmp(s, keyword, keyword_len) != 0 || !strchr(" \t", s[keyword_len]) ||
		    !s[keyword_len])
			continue;
		s += keyword_len + strspn(s + keyword_len, " \t");
		*ret_len = strcspn(s, " \t\r\n#;");
		return s;
	}
	return NULL;
}

bool resolver_on_loopback(const char *resolv_conf, char ret_addr[ADDR_STRLEN])
{
	const char *s;
	size_t len;

	while ((s = next_nameserver(&resolv_conf, &len))) {
		len = strcspn(s, " \t\r\n%#;");
		if (!is_loopback(s, len))
			continue;
		snprintf(ret_addr, ADDR_STRLEN, "%.*s", (int)len, s);
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

/* An address with a zone is link-local: no rule of ours can name it. */
static void add_resolver(struct resolvers *all, const char *s, size_t len)
{
	struct ipaddr addr;

	if (all->n == RESOLVERS_MAX || !ipaddr_parse(s, len, &addr))
		return;
	if (ipaddr_is_loopback(&addr))
		ipaddr_format(&addr, all->loopback);
	else
		all->items[all->n++] = addr;
}

static bool add_resolvers_of_docker(struct resolvers *all, const char *daemon_json)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = { .name = xstrdup("daemon.json"),
			   .text = xstrdup(daemon_json),
			   .len = strlen(daemon_json) };
	struct diags diags = { 0 };
	const struct json_node *dns = NULL;

	if (json_parse(&src, &tree, &diags))
		dns = json_member(tree.root, "dns", JSON_ARRAY);
	for (size_t i = 0; dns && i < dns->u.children.n; i++) {
		const struct json_node *item = &dns->u.children.items[i];

		if (item->kind == JSON_STRING)
			add_resolver(all, item->u.string.s, item->u.string.len);
	}
	diags_free(&diags);
	src_free(&src);
	return dns && dns->u.children.n > 0;
}

void resolvers_of(const char *resolv_conf, const char *daemon_json, struct resolvers *ret)
{
	const char *s;
	size_t len;

	*ret = (struct resolvers){ 0 };
	ret->of_docker = daemon_json && add_resolvers_of_docker(ret, daemon_json);
	if (ret->of_docker || !resolv_conf)
		return;
	while ((s = next_nameserver(&resolv_conf, &len)))
		add_resolver(ret, s, len);
}

/* ---- whose rules it gets around ---- */

/* Its rules deny by default, and do not allow DNS to everywhere. */
static bool is_evaded(const struct network *network)
{
	if (network->audit || !network_denies(network))
		return false;
	for (size_t i = 0; i < network->n_egress; i++)
		if (network->egress[i].to == DEST_ALL &&
		    rule_allows_udp(&network->egress[i], PORT_DNS))
			return false;
	return true;
}

/* Its containers are to ask the gate. */
static bool is_gated(const struct network *network)
{
	return network->dns.gated;
}

static bool is_evaded_without_gate(const struct network *network)
{
	return !network->dns.gated && is_evaded(network);
}

/* Appends a line's beginning, the names of the networks; false: there are none. */
static bool put_names(const struct policy *policy, bool (*is_one)(const struct network *network),
		      struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		if (!is_one(&policy->networks[i]))
			continue;
		if (n++ < NAMED_MAX)
			buf_printf(b, "%s%s",
				   n > 1	? ", "
				   : b->len > 0 ? "; "
						: "",
				   policy->networks[i].name);
	}
	if (n > NAMED_MAX)
		buf_printf(b, " and %zu more", n - NAMED_MAX);
	return n > 0;
}

char *resolver_leak(const struct policy *policy, const char *addr)
{
	struct buf b = { 0 };

	if (put_names(policy, is_gated, &b))
		buf_printf(&b,
			   ": the DNS gate hears nothing of what containers look up, and opens "
			   "nothing, "
			   "and they can send any name to the outside: for them Docker asks the "
			   "host's resolver %s from the host itself; to mend it: give Docker "
			   "resolvers that are not on the loopback (\"dns\" in "
			   "/etc/docker/daemon.json), and restart it",
			   addr);
	if (put_names(policy, is_evaded_without_gate, &b))
		buf_printf(&b,
			   ": containers can send any name to the outside, as a DNS question: "
			   "for them Docker asks the host's resolver %s from the host itself, "
			   "where no rule judges it; to mend it: give Docker resolvers that are "
			   "not on the loopback (\"dns\" in /etc/docker/daemon.json), restart it, "
			   "and allow DNS to these alone",
			   addr);
	return b.len > 0 ? buf_steal(&b) : NULL;
}
