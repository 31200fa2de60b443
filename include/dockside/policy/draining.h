/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks that are draining: the files no longer have them, and their last policy stays in force until
 * their containers have left. We keep their objects from the files in two documents that read like the
 * files themselves; merging these into a policy makes ordinary networks of them, flagged `draining`, behind
 * those of the files.
 */
#ifndef DOCKSIDE_POLICY_DRAINING_H
#define DOCKSIDE_POLICY_DRAINING_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/policy/model.h"

/* Zero-initialise; draining_docs_free(). */
struct draining_docs {
	char *network, *firewall; /* both, or NULL: there are no such networks */
	/* Bridges of networks whose policy is lost: everything from them is refused. */
	char **closed;
	size_t n_closed;
};

void draining_docs_free(struct draining_docs *docs);

/*
 * Documents of the networks with those bridges: as the old documents have it, or else as the files of a policy
 * without errors say (NULL: there is none), with the ipsets that they use. A network that neither has, or
 * that would make the documents longer than our parser takes, is a closed one.
 */
void draining_docs_make(const struct draining_docs *old, const struct policy *files,
			const char *const *bridges, size_t n, struct draining_docs *ret_docs);

/* As the text of a file, and back: -EBADMSG if it is not what we wrote. */
void draining_docs_write(const struct draining_docs *docs, struct buf *b);
int draining_docs_read(const char *text, size_t len, struct draining_docs *ret_docs,
		       struct err *err);

/*
 * Puts the documents' networks behind those of the policy's files, in place of draining ones that it may have
 * already; leaves out those whose bridge is one of the files' networks. A rule that uses an ipset that the
 * files have, too, goes by what it is there. Places in the documents are none in the files: nothing of
 * these networks has one. Returns 0 or -errno: the documents cannot be read.
 */
int draining_merge(struct policy *policy, const struct draining_docs *docs, struct err *err);

#endif
