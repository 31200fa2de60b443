/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_probe LINE…: loads the lines as one script in which line N came from egress[N - 1] of network
 * ds-prod, at line N of firewall.json; prints the error, or "ok".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/table/nft_script.h"

int main(int argc, char **argv)
{
	struct src src = { .name = xstrdup("firewall.json") };
	struct nft_loader *loader;
	struct script script = { 0 };
	struct arena arena = { 0 };
	struct err err = { 0 };
	struct buf text = { 0 };
	int r;

	for (int i = 1; i < argc; i++)
		buf_puts(&text, "rule\n");
	src.len = text.len;
	src.text = buf_steal(&text);
	for (int i = 1; i < argc; i++) {
		struct origin *origin = arena_alloc(&arena, sizeof(*origin));

		origin->network = "ds-prod";
		origin->entry = arena_printf(&arena, "egress[%d]", i - 1);
		origin->loc = (struct loc){ &src, (size_t)(i - 1) * 5, 4 };
		buf_puts(&script.text, argv[i]);
		script_line(&script, origin);
	}
	nft_loader_open(&loader);
	r = nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, &err);
	puts(r < 0 ? err.text : "ok");
	nft_loader_close(loader);
	script_free(&script);
	arena_free(&arena);
	err_free(&err);
	src_free(&src);
	return 0;
}
