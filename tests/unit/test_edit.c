/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests against two configuration files: what the files say afterwards, word for word, or why
 * they stay as they are. The new files go through config_parse(), as in the daemon.
 */
#include "edit_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"

#define NETWORKS                                                                        \
	"// two networks\n"                                                             \
	"{\"_owner\": \"ops\", \"networks\": [\n"                                       \
	"  {\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\", \"comment\": \"old\",\n" \
	"   \"dockside_ip\": \"192.0.2.9\"},\n"                                         \
	"  {\"name\": \"blue\", \"subnet\": \"198.51.100.0/24\", \"subnet6\": "         \
	"\"2001:db8::/64\"}\n"                                                          \
	"]}\n"
#define FIREWALL                                                                               \
	"{\"networks\": {\"amber\": {\n"                                                       \
	"   \"egress\": [{\"to\": \"ipset\", \"ipset\": \"web\"}, {\"action\": \"drop\"}],\n"  \
	"   \"nat\": [{\"match_dport\": 25, \"to_ip\": \"192.0.2.25\", \"to_port\": 2525}],\n" \
	"   \"host\": [{\"proto\": \"tcp\", \"ports\": [22]}, {\"action\": \"drop\"}]}},\n"    \
	" \"ipsets\": {\"web\": [\"example.com\"], \"db\": []}}\n"

static bool accepted_by_config(const struct fixture *f, struct diags *diags, struct policy *policy)
{
	policy->network_src =
		text_src("network.json",
			 f->edit.network_text ? f->edit.network_text : f->policy.network_src.text);
	policy->firewall_src =
		text_src("firewall.json", f->edit.firewall_text ? f->edit.firewall_text
								: f->policy.firewall_src.text);
	return config_parse(policy, diags);
}

/* A text in which a part is another one; old NULL: the text stays as it is. */
static void assert_text(const char *text, const char *before, const char *old, const char *new)
{
	cleanup(cleanup_free) char *expected = NULL;
	const char *at = old ? strstr(before, old) : NULL;

	if (!old) {
		assert_null(text);
		return;
	}
	assert_non_null(at);
	assert_null(strstr(at + 1, old));
	expected = xasprintf("%.*s%s%s", (int)(at - before), before, new, at + strlen(old));
	assert_non_null(text);
	assert_string_equal(text, expected);
}

#define SAME NULL, NULL

/* A part of network.json and one of firewall.json change as given; all else stays. */
static void assert_files(struct fixture *f, const char *network, const char *new_network,
			 const char *firewall, const char *new_firewall)
{
	struct diags diags = { 0 };
	struct policy policy = { 0 };

	diags_print(&f->diags, stderr);
	assert_true(f->good);
	assert_text(f->edit.network_text, f->policy.network_src.text, network, new_network);
	assert_text(f->edit.firewall_text, f->policy.firewall_src.text, firewall, new_firewall);
	assert_true(accepted_by_config(f, &diags, &policy));
	policy_free(&policy);
	diags_free(&diags);
	clear(f);
}

static void assert_edit(struct fixture *f, const char *request, const char *network,
			const char *new_network, const char *firewall, const char *new_firewall)
{
	run(f, NETWORKS, FIREWALL, request);
	assert_files(f, network, new_network, firewall, new_firewall);
}

static void assert_message(const struct diags *diags, const char *part)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < diags->n; i++)
		buf_printf(&b, "%s%s%s\n", diags->items[i].message,
			   diags->items[i].hint ? "; " : "",
			   diags->items[i].hint ? diags->items[i].hint : "");
	if (!strstr(buf_str(&b), part))
		fail_msg("expected \"%s\", got \"%s\"", part, buf_str(&b));
	buf_free(&b);
}

static void assert_refused(struct fixture *f, const char *request, const char *part)
{
	run(f, NETWORKS, FIREWALL, request);
	assert_false(f->good);
	assert_null(f->edit.network_text);
	assert_null(f->edit.firewall_text);
	assert_message(&f->diags, part);
	clear(f);
}

/* The edit succeeds, and config_parse() refuses what comes of it. */
static void assert_config_refuses(struct fixture *f, const char *request, const char *part)
{
	struct diags diags = { 0 };
	struct policy policy = { 0 };

	run(f, NETWORKS, FIREWALL, request);
	assert_true(f->good);
	assert_false(accepted_by_config(f, &diags, &policy));
	assert_message(&diags, part);
	diags_free(&diags);
	policy_free(&policy);
	clear(f);
}

/* ---- set-network ---- */

#define SET "{\"action\": \"set-network\", \"name\": "

#define BASED SET "\"amber\", \"base\": \"%s\", \"firewall\": {\"host\": [{\"proto\": \"tcp\"}]}}"

/* Rules that were made from others than those that run would undo what somebody has done since. */
static void test_set_network_base(void **state)
{
	struct src src = text_src("f", FIREWALL);
	cleanup(cleanup_free) char *good = NULL, *bad = NULL;
	struct fixture f = { 0 };
	char base[EDIT_BASE_SIZE];

	(void)state;
	good = xasprintf(BASED, edit_base(&src, base));
	src.len--;
	bad = xasprintf(BASED, edit_base(&src, base));
	src_free(&src);
	run(&f, NETWORKS, FIREWALL, good);
	assert_true(f.good);
	clear(&f);
	assert_refused(&f, bad, "firewall.json is not the text that the new rules were made from");
	assert_refused(&f, SET "\"amber\", \"base\": \"\"}", "is not the text");
	assert_edit(&f, SET "\"amber\", \"base\": null}", SAME, SAME); /* nothing is compared */
}

static void test_set_topology(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	/* Given keys replace in place, others stay, new ones come last; its rules stay. */
	assert_edit(&f,
		    SET "\"amber\", \"network\": {\"dockside_mac\": \"02:00:5e:00:53:01\", "
			"\"dockside_ip\": \"192.0.2.8\", \"name\": \"amber\"}}",
		    "   \"dockside_ip\": \"192.0.2.9\"},\n",
		    "   \"dockside_ip\": \"192.0.2.8\",\n"
		    "   \"dockside_mac\": \"02:00:5e:00:53:01\"},\n",
		    SAME);
	/* Nothing that is not there already. */
	assert_edit(&f, SET "\"amber\"}", SAME, SAME);
	assert_edit(&f, SET "\"amber\", \"network\": {}}", SAME, SAME);
	assert_edit(&f, SET "\"amber\", \"network\": {\"dockside_ip\": \"192.0.2.9\"}}", SAME,
		    SAME);
}

static void test_set_subnet(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f, SET "\"amber\", \"network\": {\"subnet\": \"192.0.2.0/24\"}}", SAME, SAME);
	/* The same network in other words. */
	assert_edit(&f, SET "\"blue\", \"network\": {\"subnet\": \"198.51.100.7/255.255.255.0\"}}",
		    "198.51.100.0/24", "198.51.100.7/255.255.255.0", SAME);
	assert_refused(&f, SET "\"amber\", \"network\": {\"subnet\": \"192.0.2.0/25\"}}",
		       "\"subnet\" of an existing network cannot be changed from \"192.0.2.0/24\"");
	assert_refused(&f, SET "\"blue\", \"network\": {\"subnet6\": \"2001:db8:1::/64\"}}",
		       "\"subnet6\" of an existing network cannot be changed");
}

#define BLUE_END "\"subnet6\": \"2001:db8::/64\"}\n"

/* Clients that send every key, with null for those that are to stay. */
static void test_null_keeps(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f,
		    SET "\"amber\", \"network\": {\"name\": null, \"subnet\": null, \"subnet6\": "
			"null, \"dockside_ip\": null, \"dockside_mac\": null}}",
		    SAME, SAME);
	assert_edit(&f, SET "\"blue\", \"network\": {\"subnet6\": null}}", SAME, SAME);
	assert_edit(&f, SET "\"amber\", \"network\": null}", SAME, SAME);
	assert_edit(&f,
		    SET "\"red\", \"network\": {\"subnet\": \"203.0.113.0/24\", \"subnet6\": null, "
			"\"gateway_ip\": null}}",
		    BLUE_END,
		    "\"subnet6\": \"2001:db8::/64\"},\n"
		    "  {\"name\": \"red\", \"subnet\": \"203.0.113.0/24\"}\n",
		    SAME);
	assert_refused(&f, SET "\"red\", \"network\": {\"subnet\": null}}", "needs its \"subnet\"");
	assert_refused(&f, SET "\"red\", \"network\": null}", "needs its \"subnet\"");
}

#define EGRESS_AND_NAT                                                                        \
	"   \"egress\": [{\"to\": \"ipset\", \"ipset\": \"web\"}, {\"action\": \"drop\"}],\n" \
	"   \"nat\": [{\"match_dport\": 25, \"to_ip\": \"192.0.2.25\", \"to_port\": 2525}],\n"
#define HOST "   \"host\": [{\"proto\": \"tcp\", \"ports\": [22]}, {\"action\": \"drop\"}]}"
#define AMBER "\"amber\": {\n" EGRESS_AND_NAT HOST

static void test_set_rules(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	/* egress and nat are replaced together; the host's rules stay unless given. */
	assert_edit(&f, SET "\"amber\", \"firewall\": {\"egress\": [{\"to\": \"all\"}]}}", SAME,
		    EGRESS_AND_NAT, "   \"egress\": [{\"to\": \"all\"}],\n");
	assert_edit(&f, SET "\"amber\", \"firewall\": {\"host\": []}}", SAME, EGRESS_AND_NAT HOST,
		    "   \"host\": []}");
	assert_edit(&f, SET "\"blue\", \"firewall\": {\"_why\": \"x\", \"nat\": []}}", SAME, HOST,
		    HOST ", \"blue\": {\"_why\": \"x\", \"nat\": []}");
	assert_edit(&f, SET "\"amber\", \"firewall\": null}", SAME, "{" AMBER "}", "{}");
	assert_edit(&f, SET "\"amber\", \"firewall\": {}}", SAME, "{" AMBER "}", "{}");
	assert_edit(&f, SET "\"blue\", \"firewall\": {}}", SAME, SAME);
	/* A request for what the file says already leaves it alone, however it is written. */
	assert_edit(&f,
		    SET "\"amber\", \"firewall\": {"
			"\"egress\": [{\"to\": \"ipset\", \"ipset\": \"web\"}, {\"action\": "
			"\"drop\"}], \"nat\": [{\"match_dport\": 25, \"to_ip\": \"192.0.2.25\", "
			"\"to_port\": 2525}]}}",
		    SAME, SAME);
}

static void test_add_network(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f,
		    SET "\"cyan\", \"network\": {\"subnet\": \"203.0.113.0/24\"}, \"firewall\": "
			"{\"egress\": []}}",
		    BLUE_END,
		    "\"subnet6\": \"2001:db8::/64\"},\n"
		    "  {\"name\": \"cyan\", \"subnet\": \"203.0.113.0/24\"}\n",
		    HOST, HOST ", \"cyan\": {\"egress\": []}");
	/* Into files that have nothing. */
	run(&f, "{\"networks\": []}", "{}",
	    SET "\"cyan\", \"network\": {\"subnet\": \"203.0.113.0/24\"}, \"firewall\": {\"nat\": "
		"[]}}");
	assert_files(&f, "[]", "[\n  {\"name\": \"cyan\", \"subnet\": \"203.0.113.0/24\"}\n]", "{}",
		     "{\n  \"networks\": {\n    \"cyan\": { \"nat\": [] }\n  }\n}");
	assert_refused(&f, SET "\"ambre\", \"network\": {\"dockside_ip\": \"192.0.2.8\"}}",
		       "there is no network \"ambre\", and a new one needs its \"subnet\"; did you "
		       "mean \"amber\"?");
	assert_refused(&f, SET "\"cyan\"}", "there is no network \"cyan\"");
	assert_refused(&f, SET "\"amber\", \"network\": {\"name\": \"red\"}}", "cannot be renamed");
}

/* Free text says nothing to us, but something to the file's author: it stays. */
static void test_free_text_stays(void **state)
{
	static const char network[] = "{\"networks\": [\n"
				      "  {\"_\": \"1\", \"name\": \"amber\", "
				      "\"subnet\": \"192.0.2.0/24\", \"mtu\": 68}\n"
				      "]}\n";
	static const char firewall[] =
		"{\"_comment\": \"top\", \"ipsets\": null, \"networks\": {\"_comment\": \"all\", "
		"\"amber\": {\n"
		"  \"_comment\": \"its rules\", \"egress\": [{\"_comment\": \"--- DNS ---\"},\n"
		"    {\"action\": \"drop\", \"_why\": [1]}, {\"comment\": \"--- end ---\"}],\n"
		"  \"host\": [{\"_comment\": \"--- host ---\"}, {\"action\": \"drop\"}]}}}\n";
	struct fixture f = { 0 };

	(void)state;
	run(&f, network, firewall,
	    "{\"action\": \"set-ipset\", \"name\": \"web\", \"hostnames\": [\"a_b.example.\"]}");
	assert_files(&f, SAME, "null", "{\"web\": [\"a_b.example.\"]}");
	run(&f, network, firewall,
	    SET "\"amber\", \"network\": {\"dockside_ip\": \"192.0.2.9\"}, \"firewall\":"
		" {\"egress\": [{\"_\": \"new\"}, {\"to\": \"all\"}], \"host\": null}}");
	assert_files(&f, "68}", "68, \"dockside_ip\": \"192.0.2.9\"}",
		     "{\"_comment\": \"--- DNS ---\"},\n"
		     "    {\"action\": \"drop\", \"_why\": [1]}, {\"comment\": \"--- end ---\"}]",
		     "{\"_\": \"new\"}, {\"to\": \"all\"}\n    ]");
}

/* Nothing gets in that a file could not say. */
static void test_smuggling(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_config_refuses(&f, SET "\"a b\", \"network\": {\"subnet\": \"203.0.113.0/24\"}}",
			      "\"name\" must be 1 to 64 of");
	assert_config_refuses(&f, SET "\"_x\", \"network\": {\"subnet\": \"203.0.113.0/24\"}}",
			      "\"name\" must be 1 to 64 of");
	assert_config_refuses(&f, SET "\"AMBER\", \"network\": {\"subnet\": \"203.0.113.0/24\"}}",
			      "differ in letter case only");
	assert_config_refuses(&f, SET "\"red\", \"network\": {\"subnet\": \"192.0.2.128/25\"}}",
			      "overlaps");
	assert_config_refuses(&f, SET "\"amber\", \"network\": {\"networks\": []}}", "unknown key");
	assert_config_refuses(&f, SET "\"amber\", \"network\": {\"gateway_mac\": \"x\"}}",
			      "\"gateway_mac\" is an older spelling");
	assert_config_refuses(&f, SET "\"amber\", \"network\": {\"dockside_ip\": 7}}",
			      "\"dockside_ip\" must be an IPv4 address, found the number 7");
	assert_config_refuses(&f, SET "\"amber\", \"firewall\": {\"ingress\": []}}", "unknown key");
	assert_config_refuses(
		&f, SET "\"amber\", \"firewall\": {\"egress\": [{\"to\": \"cidr\"}]}}", "cidr");
	assert_config_refuses(&f,
			      "{\"action\": \"set-ipset\", \"name\": \"x; flush ruleset\", "
			      "\"hostnames\": []}",
			      "an ipset's name must be 1 to 31 of");
	assert_config_refuses(&f,
			      "{\"action\": \"set-ipset\", \"name\": \"db\", \"hostnames\": [[]]}",
			      "an ipset's entry must be");
	assert_refused(&f,
		       "{\"action\": \"set-ipset\", \"name\": \"_db\", \"hostnames\": [\"a b\"]}",
		       "an ipset cannot be called that");
	assert_refused(&f, "{\"action\": \"set-ipset\", \"name\": \"comment\", \"hostnames\": []}",
		       "an ipset cannot be called that");
}

/* ---- the others ---- */

static void test_remove_network(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f, "{\"action\": \"remove-network\", \"name\": \"amber\", \"force\": true}",
		    "  {\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\", \"comment\": \"old\",\n"
		    "   \"dockside_ip\": \"192.0.2.9\"},\n",
		    "", "{" AMBER "}", "{}");
	assert_edit(&f, "{\"action\": \"remove-network\", \"name\": \"blue\"}",
		    ",\n  {\"name\": \"blue\", \"subnet\": \"198.51.100.0/24\", " BLUE_END, "\n",
		    SAME);
	assert_refused(&f, "{\"action\": \"remove-network\", \"name\": \"blu\"}",
		       "there is no network \"blu\"; did you mean \"blue\"?");
	assert_refused(&f, "{\"action\": \"remove-network\", \"name\": \"\"}",
		       "there is no network \"\"");
}

#define SET_IPSET "{\"action\": \"set-ipset\", \"name\": "

static void test_set_ipset(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f, SET_IPSET "\"web\", \"hostnames\": [\"example.org\", \"192.0.2.0/28\"]}",
		    SAME, "[\"example.com\"]", "[\"example.org\", \"192.0.2.0/28\"]");
	assert_edit(&f, SET_IPSET "\"db\", \"hostnames\": []}", SAME, SAME);
	run(&f, "{\"networks\": []}", "{}", SET_IPSET "\"new\", \"hostnames\": [\"::1\"]}");
	assert_files(&f, SAME, "{}", "{\n  \"ipsets\": { \"new\": [\"::1\"] }\n}");
	/* A preset is written as it was named, and not as its names. */
	run(&f, "{\"networks\": []}", "{\"ipsets\": {\"old\": [\"preset:pypi\"]}}",
	    SET_IPSET "\"new\", \"hostnames\": [\"preset:npm\", \"more.example\"]}");
	assert_files(&f, SAME, "\"preset:pypi\"]",
		     "\"preset:pypi\"], \"new\": [\"preset:npm\", \"more.example\"]");
}

/* Members that go must be meant. A client that does not know "replace" always replaces. */
static void test_replace_ipset(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_refused(&f, SET_IPSET "\"web\", \"hostnames\": [\"a.b\"], \"replace\": false}",
		       "ipset \"web\" would lose 1 member: example.com; give --replace");
	assert_edit(&f,
		    SET_IPSET "\"web\", \"hostnames\": [\"Example.COM.\", \"b.example\"], "
			      "\"replace\": false}",
		    SAME, "[\"example.com\"]", "[\"example.com\", \"b.example\"]");
	assert_edit(&f, SET_IPSET "\"web\", \"hostnames\": [\"a.b\"], \"replace\": true}", SAME,
		    "example.com", "a.b");
	assert_edit(&f, SET_IPSET "\"new\", \"hostnames\": [\"a.b\"], \"replace\": false}", SAME,
		    "\"db\": []", "\"db\": [], \"new\": [\"a.b\"]");
}

#define MEMBERS                                                                               \
	"// lists\n{\"ipsets\": {\"web\": [\n\t\"A.example\", // of Ann\n\t// the others\n\t" \
	"\"192.0.2.0/28\",\n\t\"b.example.\" // of Bob\n]}}\n"

static void test_members(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	run(&f, NETWORKS, MEMBERS,
	    "{\"action\": \"add-ipset\", \"name\": \"web\", \"hostnames\": [\"a.example\", "
	    "\"c.example\", \"192.0.2.5/28\", \"::1\"]}");
	assert_files(&f, SAME, "\"b.example.\" // of Bob\n",
		     "\"b.example.\", // of Bob\n\t\"c.example\",\n\t\"::1\"\n");
	run(&f, NETWORKS, MEMBERS,
	    "{\"action\": \"add-ipset\", \"name\": \"web\", \"hostnames\": [\"B.EXAMPLE\"]}");
	assert_string_equal(f.edit.message, "ipset web has that member already: nothing changed");
	assert_files(&f, SAME, SAME);
	run(&f, NETWORKS, MEMBERS,
	    "{\"action\": \"del-ipset\", \"name\": \"web\", \"hostnames\": [\"b.example\", "
	    "\"a.example.\"]}");
	assert_files(&f, SAME,
		     "\t\"A.example\", // of Ann\n\t// the others\n\t\"192.0.2.0/28\",\n"
		     "\t\"b.example.\" // of Bob\n",
		     "\t// the others\n\t\"192.0.2.0/28\"\n");
	/* Members that stay keep their places, and their comments. */
	run(&f, NETWORKS, MEMBERS,
	    SET_IPSET "\"web\", \"hostnames\": [\"c.example\", \"b.example\", \"A.example\"]}");
	assert_files(&f, SAME, "\t\"192.0.2.0/28\",\n\t\"b.example.\" // of Bob\n",
		     "\t\"b.example.\", // of Bob\n\t\"c.example\"\n");
	/* All or nothing. */
	run(&f, NETWORKS, MEMBERS,
	    "{\"action\": \"del-ipset\", \"name\": \"web\", \"hostnames\": [\"A.example\", "
	    "\"a.exampel\"]}");
	assert_false(f.good);
	assert_message(&f.diags, "ipset \"web\" does not have \"a.exampel\": nothing changed; did "
				 "you mean \"A.example\"?");
	assert_refused(&f, "{\"action\": \"add-ipset\", \"name\": \"wep\", \"hostnames\": []}",
		       "there is no ipset \"wep\"; set-ipset makes one; did you mean \"web\"?");
	assert_refused(&f, "{\"action\": \"del-ipset\", \"name\": \"web\", \"hostnames\": [1]}",
		       "a member must be a string");
	assert_config_refuses(
		&f, "{\"action\": \"add-ipset\", \"name\": \"web\", \"hostnames\": [\"a b\"]}",
		"an ipset's entry must be");
}

static void test_remove_ipset(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f, "{\"action\": \"remove-ipset\", \"name\": \"db\"}", SAME, ", \"db\": []",
		    "");
	assert_refused(&f, "{\"action\": \"remove-ipset\", \"name\": \"web\"}",
		       "ipset \"web\" is in use by rules of network amber");
	assert_refused(&f, "{\"action\": \"remove-ipset\", \"name\": \"wep\"}",
		       "there is no ipset \"wep\"; did you mean \"web\"?");
	run(&f, NETWORKS,
	    "{\"ipsets\": {\"x\": []}, \"networks\": {"
	    "\"amber\": {\"egress\": [{\"to\": \"ipset\", \"ipset\": \"x\"}]},"
	    "\"blue\": {\"egress\": [{\"to\": \"all\"}, {\"to\": \"ipset\", \"ipset\": \"x\"}]}}}",
	    "{\"action\": \"remove-ipset\", \"name\": \"x\"}");
	assert_false(f.good);
	assert_message(&f.diags, "is in use by rules of networks amber, blue");
	/* Free text uses nothing, and is no ipset. */
	run(&f, NETWORKS,
	    "{\"ipsets\": {\"x\": [], \"_y\": []}, \"networks\": {\"comment\": {\"egress\": "
	    "[{\"to\": "
	    "\"ipset\", \"ipset\": \"x\"}]}}}",
	    "{\"action\": \"remove-ipset\", \"name\": \"x\"}");
	assert_true(f.good);
	run(&f, NETWORKS, "{\"ipsets\": {\"_y\": []}}",
	    "{\"action\": \"remove-ipset\", \"name\": \"_y\"}");
	assert_false(f.good);
	run(&f, NETWORKS, "{}", "{\"action\": \"remove-ipset\", \"name\": \"x\"}");
	assert_false(f.good);
	clear(&f);
}

static void test_apply(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	assert_edit(&f,
		    "{\"action\": \"apply\", \"network_config\": {\"networks\": []}, "
		    "\"firewall_config\": {\"_\": \"x\"}}",
		    NETWORKS, "// two networks\n{\"networks\": [\n]}\n", FIREWALL,
		    "{\"_\": \"x\"\n }\n");
	run(&f, NETWORKS, FIREWALL,
	    "{\"action\": \"apply\", \"network_config\": " NETWORKS
	    ", \"firewall_config\": " FIREWALL "}");
	assert_files(&f, SAME, SAME);
	assert_config_refuses(&f,
			      "{\"action\": \"apply\", \"network_config\": {\"networks\": []}, "
			      "\"firewall_config\": {\"networks\": {\"amber\": {}}}}",
			      "there is no network \"amber\"");
}

/* Faults are reported where they are in the request. */
static void test_places(void **state)
{
	struct fixture f = { 0 };
	unsigned line, column;

	(void)state;
	run(&f, NETWORKS, FIREWALL,
	    SET "\"amber\",\n \"network\": {\"subnet\": \"192.0.2.0/25\"}}");
	assert_false(f.good);
	assert_int_equal(f.diags.n, 1);
	assert_string_equal(f.diags.items[0].pointer, "/network/subnet");
	assert_ptr_equal(f.diags.items[0].loc.src, &f.request.src);
	loc_line_column(f.diags.items[0].loc, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 24);
	clear(&f);
}

/* ---- the table of actions ---- */

static void assert_request(const char *text, uid_t uid, const char *part)
{
	struct request request = { .src = text_src("request", text) };
	struct diags diags = { 0 };

	assert_int_equal(request_parse(&request, uid, &diags), part == NULL);
	if (part)
		assert_message(&diags, part);
	request_free(&request);
	diags_free(&diags);
}

static void assert_ignored(const char *text, const char *note)
{
	struct request request = { .src = text_src("request", text) };
	struct diags diags = { 0 };

	assert_true(request_parse(&request, 0, &diags));
	assert_int_equal(diags.n, 0);
	assert_string_equal(request.note, note);
	request_free(&request);
}

static void test_fields(void **state)
{
	(void)state;
	assert_request(SET "\"a\"}", 0, NULL);
	assert_request("{\"action\": \"set-network\"}", 0, "\"name\" is missing");
	assert_request(SET "5}", 0, "\"name\" must be the name of a network, found the number 5");
	assert_request(SET "\"a\", \"network\": null}", 0, NULL);
	assert_request(SET "\"a\", \"network\": []}", 0, "\"network\" must be an object");
	assert_request(SET "\"a\", \"firewall\": []}", 0, "\"firewall\" must be an object");
	assert_request(SET "\"a\", \"base\": 5}", 0, "\"base\" must be the hash of");
	assert_ignored(SET "\"a\", \"firewal\": {}}",
		       "set-network does not know, and ignored, \"firewal\" (did you mean "
		       "\"firewall\"?)");
	assert_ignored(SET "\"a\", \"force\": true, \"to\": [{\"x\": {}}]}",
		       "set-network does not know, and ignored, \"force\", \"to\"");
	assert_request("{\"action\": \"set-ipset\", \"nmae\": \"a\", \"hostnames\": []}", 0,
		       "\"name\" is missing");
	assert_request("{\"action\": \"remove-network\", \"name\": \"a\", \"force\": null}", 0,
		       NULL);
	assert_request("{\"action\": \"set-ipset\", \"name\": \"a\", \"hostnames\": null}", 0,
		       "\"hostnames\" must be a list");
	assert_request("{\"action\": \"remove-network\", \"name\": \"a\", \"force\": 1}", 0,
		       "\"force\" must be true or false");
	assert_request("{\"action\": \"set-ipset\", \"name\": \"a\"}", 0,
		       "\"hostnames\" is missing");
	assert_request("{\"action\": \"set-ipset\", \"name\": \"a\", \"hostnames\": \"b\"}", 0,
		       "a list stands in [ ]");
	assert_request("{\"action\": \"apply\", \"network_config\": {}}", 0,
		       "\"firewall_config\" is missing");
	assert_request("{\"action\": \"status\", \"_x\": {}, \"comment\": 1}", 0, NULL);
	assert_request("{\"name\": \"a\"}", 0, "\"action\" is missing");
}

static void test_who(void **state)
{
	enum request_action action;

	(void)state;
	for (int i = REQUEST_STATUS; i <= REQUEST_DENIED; i++) {
		const char *name = request_action_name((enum request_action)i);
		cleanup(cleanup_free) char *text =
			xasprintf("{\"action\": \"%s\", \"x\": 1}", name);
		bool anybody = i == REQUEST_STATUS || i == REQUEST_REFRESH || i == REQUEST_METRICS;

		assert_true(request_action_find(name, &action));
		assert_int_equal(action, i);
		assert_request(text, 1000, anybody ? NULL : "needs root; you are uid 1000");
	}
	assert_false(request_action_find("Status", &action));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_topology),
		cmocka_unit_test(test_set_network_base),
		cmocka_unit_test(test_set_subnet),
		cmocka_unit_test(test_null_keeps),
		cmocka_unit_test(test_set_rules),
		cmocka_unit_test(test_add_network),
		cmocka_unit_test(test_free_text_stays),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_remove_network),
		cmocka_unit_test(test_set_ipset),
		cmocka_unit_test(test_replace_ipset),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_remove_ipset),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_who),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
