/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One growable byte buffer. */
#ifndef DOCKSIDE_BASE_BUF_H
#define DOCKSIDE_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/util.h"

/* A growable byte buffer; data is NUL-terminated whenever it is not NULL. Zero-initialise. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

/* Makes room for that many more bytes and a NUL. */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
/* In decimal. With buf_puts() several times as fast as buf_printf(): for what there is a lot of. */
void buf_uint(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) printf_like(2, 0);
/* The text, never NULL; borrowed. */
const char *buf_str(const struct buf *b);
/* The text as a string that the caller owns; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

#endif
