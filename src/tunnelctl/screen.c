/* SPDX-License-Identifier: ISC */
/*
 * The terminal, with the control sequences that all of them have had since ECMA-48. A
 * signal is a byte in a pipe, read where keys are read. Without a terminal, signals and
 * keys are left alone, and it all is plain lines.
 */
#include "config.h"
#include "screen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"

#define KEY_RESIZED 'w'
#define KEY_QUIT    'q'
#define KEY_CTRL_C  3

/* The other screen of the terminal, empty, and no cursor; and back. */
#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static struct {
	bool live, keys; /* keys: stdin is the terminal, and set for them */
	struct termios before;
	int signals[2];
	int rows, cols; /* 0: no end */
	int used;
} screen = { .signals = { -1, -1 } };

static void
on_signal(int sig)
{
	const char key = sig == SIGWINCH ? KEY_RESIZED : KEY_QUIT;
	int keep = errno;

	/* When the pipe is full there is enough in it. */
	if (write(screen.signals[1], &key, 1) == -1)
		errno = keep;
}

static int
catch_signals(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	struct sigaction action = { .sa_handler = on_signal };

	if (compat_pipe(screen.signals) == -1 ||
		fcntl(screen.signals[1], F_SETFL, O_NONBLOCK) == -1)
		return -1;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &action, NULL);
	return 0;
}

/* Keys come one by one, are not shown, and send no signals. */
static void
set_keys(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &screen.before) == -1)
		return;
	raw = screen.before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	screen.keys = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

static bool
can_be_live(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term != '\0' &&
		strcmp(term, "dumb") != 0;
}

void
screen_open(bool live)
{
	if (!live || !can_be_live() || catch_signals() == -1)
		return;
	screen.live = true;
	/* All of a screen at once: it does not flicker. */
	setvbuf(stdout, NULL, _IOFBF, 65536);
	set_keys();
	fputs(ENTER, stdout);
}

void
screen_close(void)
{
	if (!screen.live)
		return;
	fputs(LEAVE, stdout);
	fflush(stdout);
	if (screen.keys)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen.before);
	screen.live = screen.keys = false;
}

bool
screen_is_live(void)
{
	return screen.live;
}

int
screen_free(void)
{
	return screen.rows > 0 ? screen.rows - screen.used : INT_MAX;
}

void
screen_begin(void)
{
	struct winsize size;

	/* Plain ones have an empty line between. */
	if (!screen.live && screen.used > 0)
		putchar('\n');
	screen.used = 0;
	if (!screen.live)
		return;
	screen.rows = 24;
	screen.cols = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
		size.ws_col > 0) {
		screen.rows = size.ws_row;
		screen.cols = size.ws_col;
	}
	fputs("\033[H", stdout);
}

static void
put_text(const char *text)
{
	for (int n = 0; text[n] != '\0' && (screen.cols == 0 || n < screen.cols); n++)
		putchar(text[n] < ' ' || text[n] > '~' ? '?' : text[n]);
}

/* On a terminal, newlines stand between lines: one at the end would scroll it. */
static void
put_line(const char *text, const char *before, const char *behind)
{
	if (screen_free() <= 0)
		return;
	if (screen.live)
		printf("%s\033[2K%s", screen.used > 0 ? "\r\n" : "", before);
	put_text(text);
	fputs(screen.live ? behind : "\n", stdout);
	screen.used++;
}

void
screen_line(const char *text)
{
	put_line(text, "", "");
}

void
screen_title(const char *text)
{
	put_line(text, "\033[7m", "\033[0m");
}

int
screen_end(void)
{
	/* What is left of a longer one; not the last row, where that would be its end. */
	if (screen.live && screen_free() > 0)
		fputs("\r\n\033[J", stdout);
	return fflush(stdout) == 0 ? 0 : -1;
}

/* A key, or a signal as one. Returns false when there is none to be had any more. */
static bool
read_key(int fd, enum screen_event *event)
{
	char key;

	if (read(fd, &key, 1) != 1)
		return false;
	if (key == KEY_QUIT || key == 'Q' || (fd == STDIN_FILENO && key == KEY_CTRL_C))
		*event = SCREEN_QUIT;
	else if (fd != STDIN_FILENO && key == KEY_RESIZED)
		*event = SCREEN_RESIZED;
	return true;
}

enum screen_event
screen_wait(int64_t until_ms)
{
	struct pollfd p[2] = { { screen.keys ? STDIN_FILENO : -1, POLLIN, 0 },
		{ screen.live ? screen.signals[0] : -1, POLLIN, 0 } };
	enum screen_event event = SCREEN_TIME;

	while (event == SCREEN_TIME) {
		int left = io_left_ms(until_ms), n = poll(p, 2, left);

		if (n == 0 && left == 0)
			return SCREEN_TIME;
		for (int i = 0; i < 2 && n > 0 && event == SCREEN_TIME; i++)
			if (p[i].revents && !read_key(p[i].fd, &event))
				return SCREEN_QUIT;
	}
	return event;
}
