/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Docker's word on the networks that others make ("external": true): their bridges and subnets. The files may say
 * less than that, and Docker's word changes, as Compose makes a network anew. So we keep Docker's last word, and put it
 * into each policy that is to be enforced.
 */
#ifndef DOCKSIDE_POLICY_SITES_H
#define DOCKSIDE_POLICY_SITES_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/policy/model.h"

struct site {
	const char *name, *bridge; /* owned by struct sites */
	bool has_subnet, has_subnet6;
	struct prefix subnet, subnet6;
	struct ipaddr gateway, gateway6;
};

/* Zero-initialise; sites_free(). */
struct sites {
	struct site *items; /* in the order of their coming */
	size_t n;
};

void sites_free(struct sites *sites);
/* By Docker's name, or NULL. */
const struct site *sites_find(const struct sites *sites, const char *name);
/* By bridge, or NULL. */
const struct site *sites_find_bridge(const struct sites *sites, const char *bridge);
/* A network is on a bridge: forgets another one that was there, wherever that may be now. Returns whether it has forgotten
 * one, which the policy's files have; NULL: any. */
bool sites_vacate(struct sites *sites, const char *bridge, const char *name,
		  const struct policy *policy);
/* Takes a copy, in the place of an older one of that name. Vacates the bridge first. Returns whether anything changes. */
bool sites_put(struct sites *sites, const struct site *site);
/* Whether a policy's files have an external network of that name; NULL: any. */
bool sites_wanted(const struct policy *policy, const char *name);
/* Forgets that network. */
void sites_forget(struct sites *sites, const char *name);

/*
 * Places the external networks of the policy's files; again when a site has changed. A key that the files give stays
 * as they give it. A network of which nothing is known, or whose bridge another network has, is not placed.
 */
void sites_apply(const struct sites *sites, struct policy *policy);

/* Those of the external networks of a policy's files as the text of a file; returns whether there are any. And back:
 * -EBADMSG if it is not what we wrote. */
bool sites_write(const struct sites *sites, const struct policy *policy, struct buf *b);
int sites_read(const char *text, size_t len, struct sites *ret_sites, struct err *err);

#endif
