/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics_family.h"

#include <inttypes.h>

#include "dockside/base/buf.h"

static void put_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			buf_putc(b, '\\');
		if (*s == '\n')
			buf_puts(b, "\\n");
		else
			buf_putc(b, *s);
	}
}

void metrics_family_label(struct buf *b, const char *name, const char *value, bool first)
{
	buf_putc(b, first ? '{' : ',');
	buf_puts(b, name);
	buf_puts(b, "=\"");
	put_escaped(b, value);
	buf_putc(b, '"');
}

void metrics_family_value(struct buf *b, uint64_t value)
{
	buf_puts(b, "} ");
	buf_uint(b, value);
}

void metrics_family_plain(struct buf *b, uint64_t value)
{
	buf_putc(b, ' ');
	buf_uint(b, value);
}

void metrics_family_ms(struct buf *b, uint64_t ms)
{
	buf_printf(b, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}
