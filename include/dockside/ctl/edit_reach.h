/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the egress rules of a network that are about a name or addresses, and what they decide. */
#ifndef DOCKSIDE_CTL_EDIT_REACH_H
#define DOCKSIDE_CTL_EDIT_REACH_H

#include "dockside/ctl/request.h"
#include "dockside/json/json_parse.h"
#include "dockside/names/names.h"
#include "dockside/policy/model.h"

#define ALLOW_PORT_DEFAULT 443 /* of TCP, where allow is given none */

/* The destination of `allow` and `deny`. */
struct target {
	char *text;	      /* as edit_member_text() has it */
	const char *name;     /* a hostname, or a wildcard such as "*.example.com"; or NULL: */
	struct prefix prefix; /* an address or a network */
	/* NULL; or rules about a name are about an address, too, if the name has it. */
	const struct names *names;
};

void target_read(const char *s, struct target *ret_target);
void target_free(struct target *target);
bool target_is_pattern(const struct target *target);

enum about {
	ABOUT_NOT,
	/* One of the two is a name, the other is addresses; whether the name has them, nobody can tell for the time to come. */
	ABOUT_PERHAPS,
	ABOUT_OVERLAP, /* a part of the target, which is a network or a wildcard */
	ABOUT_ALL,     /* every destination */
	ABOUT_MORE,    /* others, too: an ipset, or a network or a wildcard that has the target */
	ABOUT_EXACTLY, /* the target alone */
};

/* A port, or two of them as "from-to"; false: it is none. */
bool target_read_port(const struct json_node *node, struct portrange *ret);
/* The protocol and the list of ports that a request wants allowed; where it gives no list, that has *ret_default alone. */
struct json_node target_read_ports(const struct request *request, enum proto *ret_proto,
				   struct json_node *ret_default);

/* A network's rules, some of which are to go. */
struct view {
	const struct policy *policy;
	const struct network *network;
	bool *gone; /* egress rules, by position in the model */
	bool *left; /* ipsets that are to lose the target */
};

void view_make(const struct policy *policy, const struct network *network, struct view *ret_view);
void view_free(struct view *view);

enum about view_about(const struct view *view, size_t rule, const struct target *target);

/* The rule that decides about a port (a range of them) of the target; n_egress: none does, and all passes. One that
 * allows decides if it allows all of that, one that drops if it drops any. Those that are perhaps about the target decide
 * nothing. */
size_t view_decide(const struct view *view, const struct target *target, enum proto proto,
		   const struct portrange *ports);

/* The first rule that lets TCP or UDP through to the target, of those that are about it at least so much (not
 * ABOUT_NOT); n_egress: what matches no rule is let through, too; SIZE_MAX: nothing is. DNS to every destination, and to
 * addresses that the target perhaps has, does not count. */
size_t view_reached(const struct view *view, const struct target *target, enum about least);

#endif
