/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of json_parse.h: a text and what its parser makes of it. */
#ifndef JSON_FIXTURE_H
#define JSON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

struct fixture {
	struct src src;
	struct json_tree tree;
	struct diags diags;
	bool good;
};

static inline void parse_bytes(struct fixture *f, const char *s, size_t len)
{
	*f = (struct fixture){
		.src = { .name = xstrdup("f"), .text = xmalloc(len + 1), .len = len }
	};
	memcpy(f->src.text, s, len);
	f->src.text[len] = '\0';
	f->good = json_parse(&f->src, &f->tree, &f->diags);
}

static inline void release(struct fixture *f)
{
	json_tree_free(&f->tree);
	diags_free(&f->diags);
	src_free(&f->src);
}

#endif
