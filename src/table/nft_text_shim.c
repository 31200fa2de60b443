/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/buf.h"
#include "dockside/table/nft_script.h"

/*
 * Only what iptables-nft 1.8.9 can print, save and restore: counters, interface names, a masked mark,
 * comments (doc/kernel.md, "What iptables-nft can print"). A set, a verdict map or conntrack here would
 * break `iptables -S` or, worse, be left out by iptables-save.
 */
static void print_op(struct buf *b, const struct shim_op *op, uint32_t mark_bit)
{
	const char *table = shim_table_name(op->table);

	switch (op->kind) {
	case SHIM_FLUSH_CHAIN:
		buf_printf(b, "flush chain %s %s", table, op->chain);
		break;
	case SHIM_DELETE_RULE:
		buf_printf(b, "delete rule %s %s handle %llu", table, op->chain,
			   (unsigned long long)op->handle);
		break;
	case SHIM_DELETE_CHAIN:
		buf_printf(b, "delete chain %s %s", table, op->chain);
		break;
	case SHIM_ADD_CHAIN:
		buf_printf(b, "add chain %s %s", table, op->chain);
		break;
	case SHIM_ADD_JUDGED:
		buf_printf(b, "add rule %s %s meta mark & 0x%08x == 0x%08x counter return ", table,
			   op->chain, mark_bit, mark_bit);
		text_comment(b, "judged by table inet " TABLE_NAME);
		break;
	case SHIM_ADD_DROP:
		buf_printf(b, "add rule %s %s iifname \"%s\" counter drop ", table, op->chain,
			   op->bridge);
		text_comment(b, "not judged: is table inet " TABLE_NAME " there?");
		break;
	case SHIM_INSERT_JUMP:
		buf_printf(b, "insert rule %s %s counter jump " SHIM_CHAIN, table, op->chain);
		break;
	}
}

void nft_text_shim(const struct shim_changes *changes, struct script *script)
{
	for (size_t i = 0; i < changes->n_ops; i++) {
		print_op(&script->text, &changes->ops[i], changes->mark_bit);
		script_line(script, NULL);
	}
}
