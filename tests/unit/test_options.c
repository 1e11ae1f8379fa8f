/* SPDX-License-Identifier: ISC */
/* The command line: what it sets, what it refuses, and the texts it prints. */
#include "config.h"
#include "options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 16

static const struct option_row own_rows[] = {
	{ 'l', "listen", "ADDR", "where to listen" },
	{ 'L', NULL, "[ADDR:]PORT:HOST:HOSTPORT", "a route" },
	{ 'P', "probe", "[PORT]", "try one, or all" },
	{ 1, "ask", "[WHAT]", "ask" },
	{ 2, "twice", NULL, "once is enough" },
	{ 0, NULL, NULL, NULL },
};

/* What the daemon's own options were given, in order. */
struct own {
	char seen[128];
};

static const char *
take_own(void *into, char letter, const char *arg)
{
	struct own *own = into;
	size_t len = strlen(own->seen);

	if (letter < ' ')
		letter += '0';
	if (arg && strcmp(arg, "bad") == 0)
		return "not an address";
	if (letter == '2' && strchr(own->seen, '2'))
		return "given twice";
	snprintf(own->seen + len, sizeof(own->seen) - len, "%c=%s;", letter,
		arg ? arg : "(none)");
	return NULL;
}

static struct own own;
static struct options o;
static char out[8192], err[8192];

static void
read_back(FILE *file, int saved, int fd, char *into, size_t size)
{
	fflush(NULL);
	ck_assert_int_eq(dup2(saved, fd), fd);
	close(saved);
	rewind(file);
	into[fread(into, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* Parses the words of line; what it printed is in out and err then. */
static int
parse(const char *line)
{
	static char words[512];
	char *argv[ARGS_MAX + 1] = { NULL };
	FILE *out_file = tmpfile(), *err_file = tmpfile();
	int saved_out, saved_err, argc = 0, status;

	ck_assert(out_file && err_file);
	fflush(NULL);
	saved_out = dup(STDOUT_FILENO);
	saved_err = dup(STDERR_FILENO);
	dup2(fileno(out_file), STDOUT_FILENO);
	dup2(fileno(err_file), STDERR_FILENO);
	snprintf(words, sizeof(words), "dcsd %s", line);
	for (char *w = strtok(words, " "); w && argc < ARGS_MAX; w = strtok(NULL, " "))
		argv[argc++] = w;
	memset(&own, 0, sizeof(own));
	status = options_parse(&o, argc, argv, "dcsd", own_rows, take_own, &own);
	read_back(out_file, saved_out, STDOUT_FILENO, out, sizeof(out));
	read_back(err_file, saved_err, STDERR_FILENO, err, sizeof(err));
	return status;
}

static void
expect_refused(const char *line, const char *said)
{
	char whole[512];

	ck_assert_int_eq(parse(line), EXIT_USAGE);
	snprintf(whole, sizeof(whole), "dcsd: %s\nTry dcsd --help\n", said);
	ck_assert_str_eq(err, whole);
	ck_assert_str_eq(out, "");
	ck_assert_ptr_null(o.user);
	ck_assert_ptr_null(o.group);
}

START_TEST(no_options_give_the_defaults)
{
	ck_assert_int_eq(parse(""), -1);
	ck_assert_str_eq(o.program, "dcsd");
	ck_assert_ptr_null(o.config);
	ck_assert_ptr_null(o.pidfile);
	ck_assert_ptr_null(o.user);
	ck_assert_ptr_null(o.group);
	ck_assert(!o.foreground && !o.test && !o.verbose);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(short_options_are_taken)
{
	ck_assert_int_eq(parse("-ftv -c a.conf -p a.pid -u ann:staff"), -1);
	ck_assert(o.foreground && o.test && o.verbose);
	ck_assert_str_eq(o.config, "a.conf");
	ck_assert_str_eq(o.pidfile, "a.pid");
	ck_assert_str_eq(o.user, "ann");
	ck_assert_str_eq(o.group, "staff");
	options_free(&o);
	ck_assert_ptr_null(o.user);
}
END_TEST

START_TEST(long_options_are_taken)
{
	ck_assert_int_eq(parse("--foreground --test --verbose --config=a.conf "
			       "--pidfile a.pid --user ann:staff"),
		-1);
	ck_assert(o.foreground && o.test && o.verbose);
	ck_assert_str_eq(o.config, "a.conf");
	ck_assert_str_eq(o.pidfile, "a.pid");
	ck_assert_str_eq(o.user, "ann");
	ck_assert_str_eq(o.group, "staff");
	options_free(&o);
}
END_TEST

START_TEST(each_switch_sets_its_own_flag)
{
	ck_assert_int_eq(parse("-f"), -1);
	ck_assert(o.foreground && !o.test && !o.verbose);
	ck_assert_int_eq(parse("-t"), -1);
	ck_assert(!o.foreground && o.test && !o.verbose);
	ck_assert_int_eq(parse("-v"), -1);
	ck_assert(!o.foreground && !o.test && o.verbose);
}
END_TEST

START_TEST(user_without_group_leaves_the_group_open)
{
	ck_assert_int_eq(parse("-u ann"), -1);
	ck_assert_str_eq(o.user, "ann");
	ck_assert_ptr_null(o.group);
	options_free(&o);
}
END_TEST

START_TEST(last_user_wins_with_its_group)
{
	ck_assert_int_eq(parse("-u ann:staff -u bob"), -1);
	ck_assert_str_eq(o.user, "bob");
	ck_assert_ptr_null(o.group);
	options_free(&o);
}
END_TEST

START_TEST(half_a_user_is_refused)
{
	expect_refused("-u :staff", "-u :staff: expected USER or USER:GROUP");
	expect_refused("-u ann:", "-u ann:: expected USER or USER:GROUP");
	expect_refused("-u ann -u :", "-u :: expected USER or USER:GROUP");
}
END_TEST

START_TEST(own_options_come_in_order_and_repeat)
{
	ck_assert_int_eq(parse("-l 1 -L 2:h:3 --listen 4 --listen=5"), -1);
	ck_assert_str_eq(own.seen, "l=1;L=2:h:3;l=4;l=5;");
}
END_TEST

START_TEST(own_option_is_refused_with_its_reason)
{
	expect_refused("-l bad", "-l bad: not an address");
	expect_refused("--listen=bad", "-l bad: not an address");
}
END_TEST

START_TEST(argument_in_brackets_may_be_left_out)
{
	ck_assert_int_eq(parse("--probe"), -1);
	ck_assert_str_eq(own.seen, "P=(none);");
	ck_assert_int_eq(parse("-P"), -1);
	ck_assert_str_eq(own.seen, "P=(none);");
	ck_assert_int_eq(parse("--probe --ask -l 1"), -1);
	ck_assert_str_eq(own.seen, "P=(none);1=(none);l=1;");
	ck_assert_int_eq(parse("-P -f"), -1);
	ck_assert_str_eq(own.seen, "P=(none);");
	ck_assert(o.foreground);
}
END_TEST

START_TEST(argument_in_brackets_is_joined_or_the_next_word)
{
	ck_assert_int_eq(parse("--probe=80"), -1);
	ck_assert_str_eq(own.seen, "P=80;");
	ck_assert_int_eq(parse("--probe 80 --ask who -l 1"), -1);
	ck_assert_str_eq(own.seen, "P=80;1=who;l=1;");
	ck_assert_int_eq(parse("-P80 -P 81 -fP 82"), -1);
	ck_assert_str_eq(own.seen, "P=80;P=81;P=82;");
	ck_assert(o.foreground);
	ck_assert_int_eq(parse("--probe=-1"), -1);
	ck_assert_str_eq(own.seen, "P=-1;");
	ck_assert_int_eq(parse("--probe="), -1);
	ck_assert_str_eq(own.seen, "P=;");
}
END_TEST

START_TEST(only_one_word_behind_an_option_is_its_argument)
{
	expect_refused("--probe 80 81", "unexpected argument: 81");
	expect_refused("--probe=80 81", "unexpected argument: 81");
	expect_refused("--probe -- 80", "unexpected argument: 80");
	expect_refused("-f 80", "unexpected argument: 80");
}
END_TEST

START_TEST(refusal_names_the_option_as_it_was_given)
{
	expect_refused("--probe bad", "-P bad: not an address");
	expect_refused("--ask=bad", "--ask bad: not an address");
	expect_refused("--twice --twice", "--twice: given twice");
}
END_TEST

START_TEST(unknown_option_is_refused)
{
	expect_refused("-x", "unknown option: -x");
	expect_refused("-fx", "unknown option: -x");
	expect_refused("--nonsense", "unknown option: --nonsense");
}
END_TEST

START_TEST(missing_argument_is_refused)
{
	expect_refused("-c", "option -c needs its argument FILE");
	expect_refused("-f --config", "option -c needs its argument FILE");
	expect_refused("-L", "option -L needs its argument [ADDR:]PORT:HOST:HOSTPORT");
}
END_TEST

START_TEST(argument_too_many_is_refused)
{
	expect_refused("--test=yes", "option takes no argument: --test=yes");
}
END_TEST

START_TEST(stray_operand_is_refused)
{
	expect_refused("-f stray", "unexpected argument: stray");
	expect_refused("stray -f", "unexpected argument: stray");
	expect_refused("-u ann -- -f", "unexpected argument: -f");
}
END_TEST

START_TEST(help_goes_to_stdout_with_every_row)
{
	ck_assert_int_eq(parse("-u ann --help"), EXIT_OK);
	ck_assert_str_eq(err, "");
	ck_assert_ptr_eq(strstr(out, "Usage: dcsd [OPTION]...\n"), out);
	for (const struct option_row *r = options_common; r->letter; r++)
		ck_assert_ptr_nonnull(strstr(out, r->help));
	ck_assert_ptr_nonnull(strstr(out, "\n  -u, --user USER[:GROUP] "));
	ck_assert_ptr_nonnull(strstr(out, "\n  -l, --listen ADDR "));
	ck_assert_ptr_nonnull(strstr(out, "\n  -L [ADDR:]PORT:HOST:HOSTPORT  a route\n"));
	ck_assert_ptr_nonnull(strstr(out, "\n  -P, --probe [PORT] "));
	ck_assert_ptr_nonnull(strstr(out, "\n      --ask [WHAT] "));
	ck_assert_int_eq(parse("-h"), EXIT_OK);
	ck_assert_ptr_eq(strstr(out, "Usage: dcsd "), out);
}
END_TEST

/* Where the help of a row begins in its line. */
static long
column_of(const char *help)
{
	const char *at = strstr(out, help), *line = at;

	ck_assert_ptr_nonnull(at);
	while (line > out && line[-1] != '\n')
		line--;
	return (long)(at - line);
}

START_TEST(help_is_aligned)
{
	ck_assert_int_eq(parse("--help"), EXIT_OK);
	for (const struct option_row *r = options_common; r->letter; r++)
		ck_assert_int_eq(column_of(r->help), column_of("a route"));
}
END_TEST

START_TEST(version_names_program_and_package)
{
	ck_assert_int_eq(parse("--version"), EXIT_OK);
	ck_assert_str_eq(out, "dcsd (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
	ck_assert_str_eq(err, "");
	ck_assert_int_eq(parse("-V"), EXIT_OK);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, no_options_give_the_defaults);
	tcase_add_test(tc, short_options_are_taken);
	tcase_add_test(tc, long_options_are_taken);
	tcase_add_test(tc, each_switch_sets_its_own_flag);
	tcase_add_test(tc, user_without_group_leaves_the_group_open);
	tcase_add_test(tc, last_user_wins_with_its_group);
	tcase_add_test(tc, half_a_user_is_refused);
	tcase_add_test(tc, own_options_come_in_order_and_repeat);
	tcase_add_test(tc, own_option_is_refused_with_its_reason);
	tcase_add_test(tc, argument_in_brackets_may_be_left_out);
	tcase_add_test(tc, argument_in_brackets_is_joined_or_the_next_word);
	tcase_add_test(tc, only_one_word_behind_an_option_is_its_argument);
	tcase_add_test(tc, refusal_names_the_option_as_it_was_given);
	tcase_add_test(tc, unknown_option_is_refused);
	tcase_add_test(tc, missing_argument_is_refused);
	tcase_add_test(tc, argument_too_many_is_refused);
	tcase_add_test(tc, stray_operand_is_refused);
	tcase_add_test(tc, help_goes_to_stdout_with_every_row);
	tcase_add_test(tc, help_is_aligned);
	tcase_add_test(tc, version_names_program_and_package);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
