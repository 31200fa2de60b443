/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl_frame.h"

/* Deeper than the parser goes: it is a fault, and the line will do. */
static enum ctl_frame_state open_bracket(struct ctl_frame *f, char closing)
{
	if (f->depth == CTL_FRAME_DEPTH_MAX)
		return CTL_FRAME_LINE;
	f->closing[f->depth++] = closing;
	return CTL_FRAME_OBJECT;
}

static enum ctl_frame_state close_bracket(struct ctl_frame *f, char c)
{
	if (f->closing[f->depth - 1] != c)
		return CTL_FRAME_LINE;
	f->depth--;
	return f->depth > 0 ? CTL_FRAME_OBJECT : CTL_FRAME_LINE;
}

static enum ctl_frame_state start(struct ctl_frame *f, char c)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
		return CTL_FRAME_START;
	case '{':
		return open_bracket(f, '}');
	case '\n':
		return CTL_FRAME_END;
	default:
		return CTL_FRAME_LINE;
	}
}

static enum ctl_frame_state in_object(struct ctl_frame *f, char c)
{
	switch (c) {
	case '"':
		return CTL_FRAME_STRING;
	case '{':
		return open_bracket(f, '}');
	case '[':
		return open_bracket(f, ']');
	case '}':
	case ']':
		return close_bracket(f, c);
	case '/':
		return CTL_FRAME_SLASH;
	default:
		return CTL_FRAME_OBJECT;
	}
}

/* No string has a line feed. */
static enum ctl_frame_state in_string(char c)
{
	return c == '\n'   ? CTL_FRAME_END
	       : c == '\\' ? CTL_FRAME_ESCAPE
	       : c == '"'  ? CTL_FRAME_OBJECT
			   : CTL_FRAME_STRING;
}

static enum ctl_frame_state next(struct ctl_frame *f, char c)
{
	switch (f->state) {
	case CTL_FRAME_START:
		return start(f, c);
	case CTL_FRAME_OBJECT:
		return in_object(f, c);
	case CTL_FRAME_STRING:
		return in_string(c);
	case CTL_FRAME_ESCAPE:
		return c == '\n' ? CTL_FRAME_END : CTL_FRAME_STRING;
	case CTL_FRAME_SLASH:
		return c == '\n'  ? CTL_FRAME_END
		       : c == '/' ? CTL_FRAME_LINE_COMMENT
		       : c == '*' ? CTL_FRAME_COMMENT
				  : CTL_FRAME_LINE;
	case CTL_FRAME_LINE_COMMENT:
		return c == '\n' ? CTL_FRAME_OBJECT : CTL_FRAME_LINE_COMMENT;
	case CTL_FRAME_COMMENT:
		return c == '*' ? CTL_FRAME_STAR : CTL_FRAME_COMMENT;
	case CTL_FRAME_STAR:
		return c == '/' ? CTL_FRAME_OBJECT : c == '*' ? CTL_FRAME_STAR : CTL_FRAME_COMMENT;
	case CTL_FRAME_LINE:
		return c == '\n' ? CTL_FRAME_END : CTL_FRAME_LINE;
	case CTL_FRAME_END:
		break;
	}
	return CTL_FRAME_END;
}

bool ctl_frame_feed(struct ctl_frame *f, const char *data, size_t len, size_t *ret_at)
{
	for (size_t i = 0; i < len; i++) {
		f->state = next(f, data[i]);
		if (f->state != CTL_FRAME_END)
			continue;
		*ret_at = i;
		return true;
	}
	return false;
}

bool ctl_frame_is_open(const struct ctl_frame *f)
{
	return f->state != CTL_FRAME_END && f->depth > 0;
}
