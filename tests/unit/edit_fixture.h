/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request for an edit of two files, and what came of it. */
#ifndef EDIT_FIXTURE_H
#define EDIT_FIXTURE_H

#include "policy_fixture.h"

#include "dockside/ctl/edit.h"

struct fixture {
	struct request request;
	struct policy policy; /* before */
	struct edit edit;
	struct diags diags;
	bool good;
};

static inline void clear(struct fixture *f)
{
	request_free(&f->request);
	policy_free(&f->policy);
	edit_free(&f->edit);
	diags_free(&f->diags);
	*f = (struct fixture){ 0 };
}

static inline void run(struct fixture *f, const char *network, const char *firewall,
		       const char *request)
{
	clear(f);
	policy_read(&f->policy, network, firewall);
	f->request.src = text_src("request", request);
	if (!request_parse(&f->request, 0, &f->diags)) {
		diags_print(&f->diags, stderr);
		fail_msg("bad request: %s", request);
	}
	f->good = edit_files(&f->request, &f->policy, &f->edit, &f->diags);
}

#endif
