/* SPDX-License-Identifier: ISC */
/*
 * Asks for a password. It is read byte by byte, past stdio, which would keep a copy. A
 * signal that ends the program gives the terminal its echo back first. One thread.
 */
#include "config.h"
#include "secret.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "compat.h"

static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
#define DEADLY (sizeof(deadly) / sizeof(deadly[0]))

static struct termios before; /* the terminal as it was */

/* The signal itself does its default work once this returns: SA_RESETHAND. */
static void
restore_and_die(int sig)
{
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)raise(sig);
}

static void
set_signals(struct sigaction old[DEADLY])
{
	struct sigaction restore = { .sa_handler = restore_and_die,
		.sa_flags = (int)SA_RESETHAND };

	sigemptyset(&restore.sa_mask);
	for (size_t i = 0; i < DEADLY; i++)
		if (sigaction(deadly[i], &restore, &old[i]) == 0 &&
			old[i].sa_handler == SIG_IGN)
			sigaction(deadly[i], &old[i], NULL);
}

/* One line without its end. Returns 0, or -1 and a text. */
static int
read_line(char line[SECRET_SIZE], const char **why)
{
	size_t len = 0;
	ssize_t n;
	char c;

	for (;;) {
		n = read(STDIN_FILENO, &c, 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0 || c == '\n')
			break;
		*why = "a password is of 255 bytes at most";
		if (len == SECRET_SIZE - 1)
			return -1;
		*why = "a password has no NUL byte";
		if (c == '\0')
			return -1;
		line[len++] = c;
	}
	line[len] = '\0';
	*why = n == -1 ? strerror(errno) : "no password was given";
	return n == -1 || len == 0 ? -1 : 0;
}

static int
ask(char line[SECRET_SIZE], const char *what, const char *name, const char **why)
{
	int result;

	fprintf(stderr, "%s for %s: ", what, name);
	fflush(stderr);
	result = read_line(line, why);
	fputc('\n', stderr);
	return result;
}

static int
read_twice(char secret[SECRET_SIZE], const char *name, const char **why)
{
	char again[SECRET_SIZE] = "";
	int result;

	result = ask(secret, "New password", name, why);
	if (result == 0)
		result = ask(again, "The same again", name, why);
	if (result == 0 && strcmp(secret, again) != 0) {
		*why = "the two are not the same";
		result = -1;
	}
	compat_wipe(again, sizeof(again));
	return result;
}

static int
ask_terminal(char secret[SECRET_SIZE], const char *name, const char **why)
{
	struct sigaction old[DEADLY];
	struct termios silent;
	int result = -1;

	*why = "the terminal cannot be set to not show the password";
	if (tcgetattr(STDIN_FILENO, &before) == -1)
		return -1;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	set_signals(old);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0)
		result = read_twice(secret, name, why);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	for (size_t i = 0; i < DEADLY; i++)
		sigaction(deadly[i], &old[i], NULL);
	return result;
}

int
secret_ask(char secret[SECRET_SIZE], const char *name, const char **why)
{
	int result = isatty(STDIN_FILENO) ? ask_terminal(secret, name, why)
					  : read_line(secret, why);

	if (result == -1)
		compat_wipe(secret, SECRET_SIZE);
	return result;
}
