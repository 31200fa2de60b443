/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics_family.h"

#include <inttypes.h>

#include "dockside/base/buf.h"

#define PREFIX "dsfw_nft_"

struct metrics_family metrics_family(struct buf *b, const char *name, const char *type,
				     const char *help)
{
	return (struct metrics_family){ .b = b, .name = name, .type = type, .help = help };
}

static void put_title(struct metrics_family *f, const char *title, const char *text)
{
	buf_puts(f->b, title);
	buf_puts(f->b, f->name);
	buf_putc(f->b, ' ');
	buf_puts(f->b, text);
	buf_putc(f->b, '\n');
}

static void begin_sample(struct metrics_family *f)
{
	if (!f->titled) {
		put_title(f, "# HELP " PREFIX, f->help);
		put_title(f, "# TYPE " PREFIX, f->type);
	}
	f->titled = true;
	buf_puts(f->b, PREFIX);
	buf_puts(f->b, f->name);
	if (f->suffix)
		buf_puts(f->b, f->suffix);
}

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

void metrics_family_label(struct metrics_family *f, const char *name, const char *value)
{
	if (!f->open)
		begin_sample(f);
	buf_putc(f->b, f->open ? ',' : '{');
	f->open = true;
	buf_puts(f->b, name);
	buf_puts(f->b, "=\"");
	put_escaped(f->b, value);
	buf_putc(f->b, '"');
}

static void end_labels(struct metrics_family *f)
{
	if (!f->open)
		begin_sample(f);
	buf_puts(f->b, f->open ? "} " : " ");
	f->open = false;
}

void metrics_family_value(struct metrics_family *f, uint64_t value)
{
	end_labels(f);
	buf_uint(f->b, value);
	buf_putc(f->b, '\n');
}

void metrics_family_ms(struct metrics_family *f, uint64_t ms)
{
	end_labels(f);
	buf_printf(f->b, "%" PRIu64 ".%03" PRIu64 "\n", ms / 1000, ms % 1000);
}

void metrics_family_us(struct metrics_family *f, uint64_t us)
{
	end_labels(f);
	buf_printf(f->b, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

void metrics_family_nan(struct metrics_family *f)
{
	end_labels(f);
	buf_puts(f->b, "NaN\n");
}

void metrics_family_gauge(struct buf *b, const char *name, const char *help, uint64_t value)
{
	struct metrics_family family = metrics_family(b, name, "gauge", help);

	metrics_family_value(&family, value);
}

void metrics_family_counter(struct buf *b, const char *name, const char *help, uint64_t value)
{
	struct metrics_family family = metrics_family(b, name, "counter", help);

	metrics_family_value(&family, value);
}

void metrics_family_time(struct buf *b, const char *name, const char *help, uint64_t ms)
{
	struct metrics_family family = metrics_family(b, name, "gauge", help);

	metrics_family_ms(&family, ms);
}
