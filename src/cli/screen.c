/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define HEIGHT_DEFAULT 24
#define WIDTH_DEFAULT 80

/* The alternate screen, no cursor, lines that are not continued on the next one; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

/* For signal handlers, which have nothing else. */
static struct termios saved;
static volatile sig_atomic_t has_saved, is_open, resized;

/* After these the program ends as it would have without us. */
static const int fatal[] = { SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM,
			     SIGABRT, SIGSEGV, SIGBUS, SIGFPE,	SIGILL };

static void write_all(const char *text, size_t len)
{
	ssize_t n = write(STDOUT_FILENO, text, len);

	(void)n; /* nobody to tell */
}

static void enter(void)
{
	struct termios raw = saved;

	if (has_saved) {
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	write_all(ENTER, strlen(ENTER));
	is_open = 1;
}

static void leave(void)
{
	if (!is_open)
		return;
	is_open = 0;
	write_all(LEAVE, strlen(LEAVE));
	if (has_saved)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

/* ------------------------------------------------------------------ signals */

static void on_fatal(int signo)
{
	leave();
	signal(signo, SIG_DFL);
	raise(signo); /* it comes when this returns */
}

static void on_stop(int signo)
{
	int saved_errno = errno;

	(void)signo;
	leave();
	raise(SIGSTOP); /* until SIGCONT, whose handler is the next to run */
	errno = saved_errno;
}

/* By `bg`: another job, the shell as a rule, has the terminal. */
static bool is_in_background(void)
{
	pid_t foreground = tcgetpgrp(STDOUT_FILENO);

	return foreground >= 0 && foreground != getpgrp();
}

static void on_continue(int signo)
{
	int saved_errno = errno;

	(void)signo;
	if (is_in_background()) {
		raise(SIGSTOP); /* until `fg`, whose SIGCONT brings us here again */
		errno = saved_errno;
		return;
	}
	enter();
	resized = 1;
	errno = saved_errno;
}

static void on_resize(int signo)
{
	(void)signo;
	resized = 1;
}

static void handle(int signo, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigfillset(&action.sa_mask);
	sigaction(signo, &action, NULL);
}

static void handle_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		handle(fatal[i], on_fatal);
	handle(SIGTSTP, on_stop);
	handle(SIGCONT, on_continue);
	handle(SIGWINCH, on_resize);
}

static void handle_none(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		signal(fatal[i], SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	signal(SIGCONT, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
}

/* ------------------------------------------------------------------ the screen */

bool screen_is_possible(void)
{
	const char *name = getenv("TERM");

	return isatty(STDOUT_FILENO) && name && name[0] && strcmp(name, "dumb") != 0;
}

int screen_open(void)
{
	sigset_t mask;

	/* It comes while we wait, and not while the daemon is asked. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	has_saved = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &saved) == 0;
	handle_all();
	enter();
	return 0;
}

void screen_close(void)
{
	leave();
	handle_none();
}

struct term screen_size(size_t *ret_height)
{
	struct term term = term_of(stdout);
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_height = size.ws_row > 0 ? size.ws_row : HEIGHT_DEFAULT;
	if (term.width == 0)
		term.width = WIDTH_DEFAULT;
	return term;
}

static int put_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);
		struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Line over line, so that nothing flickers; a line feed behind the last line would scroll. */
int screen_show(const char *page)
{
	struct buf b = { 0 };
	int r;

	buf_puts(&b, "\033[H");
	while (*page) {
		size_t n = strcspn(page, "\n");

		buf_add(&b, page, n);
		buf_puts(&b, "\033[K");
		page += n + (page[n] == '\n');
		if (*page)
			buf_puts(&b, "\r\n");
	}
	buf_puts(&b, "\033[J");
	r = put_all(b.data, b.len);
	buf_free(&b);
	return r;
}

/* Returns false for the end. */
static bool read_keys(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	/* With VMIN 0 there is nothing, too, where the terminal has gone; poll() said that there is something. */
	return n > 0 && !memchr(keys, 'q', (size_t)n) && !memchr(keys, 'Q', (size_t)n);
}

enum screen_event screen_wait(uint64_t ms)
{
	uint64_t end_ms = monotonic_ms() + ms, now_ms;
	sigset_t none;

	sigemptyset(&none);
	while (!resized && (now_ms = monotonic_ms()) < end_ms) {
		struct pollfd keys = { .fd = has_saved ? STDIN_FILENO : -1, .events = POLLIN };
		struct timespec left = { (time_t)((end_ms - now_ms) / 1000),
					 (long)((end_ms - now_ms) % 1000 * 1000000) };
		int r = ppoll(&keys, 1, &left, &none);

		if (r > 0 && !read_keys())
			return SCREEN_END;
	}
	if (!resized)
		return SCREEN_TIMEOUT;
	resized = 0;
	return SCREEN_RESIZED;
}
