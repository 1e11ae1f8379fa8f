/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of conf and settings: tables over small files. Errors are compared as one
 * text, a line for each, without the name of the folder the files are in.
 */
#include "config.h"
#include "conf.h"

#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "settings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the tests read into: a bit of everything. */
struct sample {
	int port, other_port;
	int64_t wait_ms, step_ms;
	char *name, *path;
	int inner;
	int list_sum, list_count;
	char ports[64]; /* as conf_port_text gave them */
	struct settings common;
};

static void
read_list(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct sample *sample = into;

	for (int i = 0; i < conf_count(setting); i++) {
		int n = 0;

		conf_read_int(conf, conf_element(setting, i), key, &n);
		sample->list_sum += n;
		sample->list_count++;
	}
}

static void
read_ports(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct sample *sample = into;
	char buf[8];

	(void)key;
	for (int i = 0; i < conf_count(setting); i++) {
		const char *port = conf_port_text(conf, conf_element(setting, i), buf);

		strcat(sample->ports, port != NULL ? port : "?");
		strcat(sample->ports, " ");
	}
}

/* A list of groups, each with a key that it must have. */
static void
read_groups(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	for (int i = 0; i < conf_count(setting); i++) {
		struct sample one = { .inner = -1 };

		conf_group(conf, conf_element(setting, i), key->keys, &one);
		if (one.inner == -1)
			conf_error(conf, conf_element(setting, i), "'inner' is missing");
		((struct sample *)into)->inner += one.inner;
	}
}

/* As a reader of a daemon might: it does not know of integers of 64 bits. */
static void
read_careless(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)conf;
	(void)key;
	*(int *)into = config_setting_get_int(setting);
}

static const struct conf_key group_keys[] = {
	{ "inner", conf_read_int, offsetof(struct sample, inner), 0, 10, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key timeout_keys[] = {
	SETTINGS_TIMEOUTS(struct sample),
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key limit_keys[] = {
	SETTINGS_LIMITS(struct sample),
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key keys[] = {
	{ "port", conf_read_int, offsetof(struct sample, port), 1, 65535, NULL },
	{ "other_port", conf_read_int, offsetof(struct sample, other_port), -5, 65535,
		NULL },
	{ "wait", conf_read_seconds, offsetof(struct sample, wait_ms), 0, 3600, NULL },
	{ "step", conf_read_timeout, offsetof(struct sample, step_ms), 0, 60, NULL },
	{ "name", conf_read_string, offsetof(struct sample, name), 0, 0, NULL },
	{ "path", conf_read_path, offsetof(struct sample, path), 0, 0, NULL },
	{ "group", conf_read_group, 0, 0, 0, group_keys },
	{ "groups", read_groups, 0, 0, 0, group_keys },
	{ "list", read_list, 0, 0, 1000, NULL },
	{ "ports", read_ports, 0, 0, 0, NULL },
	{ "careless", read_careless, offsetof(struct sample, inner), 0, 0, NULL },
	SETTINGS_KEYS(struct sample, timeout_keys, limit_keys),
	{ NULL, NULL, 0, 0, 0, NULL },
};

static char dir[] = "/tmp/test_conf.XXXXXX"; /* of all tests, one after the other */

static struct conf *conf;
static struct sample sample;

static void
make_dir(void)
{
	if (mkdtemp(dir) == NULL)
		abort();
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
remove_dir(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Gives back what was read, for the next file. */
static void
forget(void)
{
	conf_free(conf);
	conf = NULL;
	free(sample.name);
	free(sample.path);
	settings_free(&sample.common);
	memset(&sample, 0, sizeof(sample));
}

static const char *
path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
write_file(const char *name, const char *content)
{
	FILE *f = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ne(fputs(content, f), EOF);
	ck_assert_int_eq(fclose(f), 0);
}

static void
read_file(const char *name)
{
	settings_init(&sample.common);
	conf = conf_read(path_of(name), keys, &sample);
	ck_assert_ptr_nonnull(conf);
}

/* All errors so far, one a line. */
static void
errors_are(const char *expected)
{
	char all[4096] = "";
	size_t len = 0, n = strlen(dir) + 1;

	for (size_t i = 0; i < conf_errors(conf); i++) {
		const char *text = conf_error_text(conf, i);

		ck_assert_int_eq(strncmp(text, dir, n - 1), 0);
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s\n", text + n);
	}
	ck_assert_str_eq(all, expected);
}

/* What x.conf says is read without an error, into sample, which starts empty. */
static void
accepted(const char *content)
{
	forget();
	write_file("x.conf", content);
	read_file("x.conf");
	errors_are("");
}

static void
refused(const char *content, const char *errors)
{
	forget();
	write_file("x.conf", content);
	read_file("x.conf");
	errors_are(errors);
}

START_TEST(values_reach_the_struct)
{
	accepted("port = 1081;\nother_port = -5;\nwait = 2;\nstep = 0.25;\n"
		 "name = \"ann\";\npath = \"/x\";\ngroup: { inner = 3; };\n");
	ck_assert_int_eq(sample.port, 1081);
	ck_assert_int_eq(sample.other_port, -5);
	ck_assert_int_eq(sample.wait_ms, 2000);
	ck_assert_int_eq(sample.step_ms, 250);
	ck_assert_str_eq(sample.name, "ann");
	ck_assert_str_eq(sample.path, "/x");
	ck_assert_int_eq(sample.inner, 3);
}
END_TEST

START_TEST(values_not_in_the_file_are_left_as_they_are)
{
	write_file("x.conf", "");
	sample.port = 7;
	sample.name = strdup("kept");
	read_file("x.conf");
	errors_are("");
	ck_assert_int_eq(sample.port, 7);
	ck_assert_str_eq(sample.name, "kept");
}
END_TEST

START_TEST(values_that_are_refused_leave_the_old_ones)
{
	write_file("x.conf", "port=0; name=\"\"; path=\"x\"; wait=-1;");
	sample.port = 7;
	sample.wait_ms = 8;
	sample.name = strdup("kept");
	read_file("x.conf");
	ck_assert_uint_eq(conf_errors(conf), 4);
	ck_assert_int_eq(sample.port, 7);
	ck_assert_int_eq(sample.wait_ms, 8);
	ck_assert_str_eq(sample.name, "kept");
	ck_assert_ptr_null(sample.path);
}
END_TEST

START_TEST(a_string_replaces_the_one_that_was_there)
{
	write_file("x.conf", "name = \"new\";");
	sample.name = strdup("old");
	read_file("x.conf");
	conf_free(conf);
	conf = NULL;
	ck_assert_str_eq(sample.name, "new");
}
END_TEST

START_TEST(file_that_cannot_be_read_is_an_error)
{
	read_file("none.conf");
	errors_are("none.conf: No such file or directory\n");
	ck_assert_ptr_null(conf_find(conf, "port"));
	forget();
	ck_assert(mkdir(path_of("folder"), 0700) == 0);
	read_file("folder");
	errors_are("folder: Is a directory\n");
}
END_TEST

START_TEST(syntax_error_has_its_line)
{
	refused("listen=;\n", "x.conf:1: syntax error\n");
	refused("# x\n\nport 1081;\n", "x.conf:3: syntax error\n");
	refused("port = 1;;\n", "x.conf:1: syntax error\n");
	refused("group: {\ninner = 1;\n", "x.conf:2: syntax error\n");
	refused("list = ( 1,\n 2,\n );\n", "x.conf:3: syntax error\n");
	refused("\n\x80\n", "x.conf:2: syntax error\n");
}
END_TEST

START_TEST(syntax_error_of_an_included_file_has_its_name_and_line)
{
	write_file("b.conf", "port = 1;\n");
	write_file("c.conf", "name = \"x\";\nlisten=;\n");
	refused("wait = 1;\n@include \"b.conf\"\n@include \"c.conf\"\n",
		"c.conf:2: syntax error\n");
}
END_TEST

START_TEST(errors_of_values_in_included_files_have_their_names_and_lines)
{
	write_file("b.conf", "port = 1;\n\nprot = 1;\n");
	write_file("c.conf", "# x\nname = 5;\n");
	refused("wait = 1;\n@include \"b.conf\"\n@include \"c.conf\"\nstep = 99;\n",
		"b.conf:3: unknown key 'prot'\n"
		"c.conf:2: 'name': a string is wanted, not an integer\n"
		"x.conf:4: 'step': not in the range 0.1 to 60 (seconds)\n");
}
END_TEST

START_TEST(mixed_array_is_explained)
{
	refused("list = [ 1,\n \"x\" ];",
		"x.conf:2: syntax error: an array [ ] holds values of one type, "
		"a list ( ) of any\n");
}
END_TEST

START_TEST(endless_nesting_is_a_syntax_error)
{
	static char content[200000] = "port = ";

	memset(content + 7, '(', sizeof(content) - 8);
	write_file("x.conf", content);
	read_file("x.conf");
	ck_assert_uint_eq(conf_errors(conf), 1);
	ck_assert_ptr_nonnull(strstr(conf_error_text(conf, 0), "syntax error"));
}
END_TEST

START_TEST(duplicate_key_is_told)
{
	refused("port=1;port=2;",
		"x.conf:1: duplicate key: it stands twice in its group\n");
	refused("group:\n{\n inner=1;\n inner=2;\n};",
		"x.conf:4: duplicate key: it stands twice in its group\n");
	write_file("b.conf", "\nport = 2;\n");
	refused("port=1;\n@include \"b.conf\"\n",
		"b.conf:2: duplicate key: it stands twice in its group\n");
}
END_TEST

START_TEST(what_stands_before_a_syntax_error_is_checked_too)
{
	refused("prot=1;\nport=\"x\";\nport=2;\nnmae=3;\n",
		"x.conf:1: unknown key 'prot'\n"
		"x.conf:2: 'port': an integer is wanted, not a string\n"
		"x.conf:3: duplicate key: it stands twice in its group\n");
	refused("port=0;\nprot=;\n",
		"x.conf:1: 'port': not in the range 1 to 65535\n"
		"x.conf:2: syntax error\n");
}
END_TEST

START_TEST(group_cut_short_by_a_syntax_error_is_not_said_to_lack_a_key)
{
	refused("groups = ( { inner = 1; }, { innre;", "x.conf:1: syntax error\n");
	ck_assert_ptr_null(conf_find(conf, "groups"));
}
END_TEST

START_TEST(unknown_keys_are_told)
{
	refused("prot=1081;", "x.conf:1: unknown key 'prot'\n");
	refused("Port=1081;", "x.conf:1: unknown key 'Port'\n");
	refused("por=1081;", "x.conf:1: unknown key 'por'\n");
	refused("inner=1;", "x.conf:1: unknown key 'inner'\n");
	refused("group:\n{\n port=1;\n};", "x.conf:3: unknown key 'port'\n");
	refused("xx:\n{\n yy=1;\n};", "x.conf:1: unknown key 'xx'\n");
}
END_TEST

START_TEST(wrong_types_are_told)
{
	static const char *const rows[][2] = {
		{ "port=\"1081\";", "'port': an integer is wanted, not a string" },
		{ "port=1.5;", "'port': an integer is wanted, not a fraction" },
		{ "port=true;", "'port': an integer is wanted, not true or false" },
		{ "port=[1];", "'port': an integer is wanted, not an array" },
		{ "port=(1);", "'port': an integer is wanted, not a list" },
		{ "port:{};", "'port': an integer is wanted, not a group" },
		{ "name=1;", "'name': a string is wanted, not an integer" },
		{ "path=1;", "'path': a string is wanted, not an integer" },
		{ "wait=\"1\";", "'wait': a number of seconds is wanted, not a string" },
		{ "step=true;",
			"'step': a number of seconds is wanted, not true or false" },
		{ "group=1;", "'group': a group is wanted, not an integer" },
		{ "group=();", "'group': a group is wanted, not a list" },
		{ "ports=1.5;",
			"'ports': a string or a port number is wanted, not a fraction" },
		{ "list=(\"x\");", "'list': an integer is wanted, not a string" },
	};
	char expected[128];

	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(expected, sizeof(expected), "x.conf:1: %s\n", rows[i][1]);
		refused(rows[i][0], expected);
	}
}
END_TEST

START_TEST(values_out_of_range_are_told_with_the_range)
{
	static const char *const values[] = { "0", "65536", "-1", "4294968377",
		"99999999999", "0x100000439", "4294968377L", "-99999999999999999999",
		"0xFFFFFFFFFFFFFFFFFF" };
	char content[64];

	for (size_t i = 0; i < COUNT(values); i++) {
		snprintf(content, sizeof(content), "\nport=%s;", values[i]);
		refused(content, "x.conf:2: 'port': not in the range 1 to 65535\n");
		ck_assert_int_eq(sample.port, 0);
	}
	refused("other_port=-6;",
		"x.conf:1: 'other_port': not in the range -5 to 65535\n");
}
END_TEST

START_TEST(integer_with_suffix_is_what_it_says)
{
	accepted("port=1081L;");
	ck_assert_int_eq(sample.port, 1081);
	accepted("port=0x439LL;");
	ck_assert_int_eq(sample.port, 1081);
	accepted("careless=1081L;");
	ck_assert_int_eq(sample.inner, 1081);
}
END_TEST

START_TEST(large_integer_does_not_pass_a_careless_reader)
{
	refused("port=1;\ncareless=4294968377;",
		"x.conf:2: 'careless': the number is too large\n");
	refused("careless=(1,\n(4294968377L));",
		"x.conf:2: 'careless': the number is too large\n");
	refused("list=(1,\n4294968377);",
		"x.conf:2: 'list': not in the range 0 to 1000\n");
}
END_TEST

START_TEST(seconds_are_whole_or_fractions)
{
	accepted("wait=0; step=0.1;");
	ck_assert_int_eq(sample.wait_ms, 0);
	ck_assert_int_eq(sample.step_ms, 100);
	accepted("wait=3600; step=1.5e1;");
	ck_assert_int_eq(sample.wait_ms, 3600000);
	ck_assert_int_eq(sample.step_ms, 15000);
	accepted("wait=12L; step=0.2994;");
	ck_assert_int_eq(sample.wait_ms, 12000);
	ck_assert_int_eq(sample.step_ms, 299);
}
END_TEST

START_TEST(a_time_above_zero_never_becomes_zero)
{
	accepted("wait=0.0001;");
	ck_assert_int_eq(sample.wait_ms, 1);
}
END_TEST

START_TEST(seconds_out_of_range_are_told)
{
	static const char *const values[] = { "-1", "-0.0001", "3600.5", "3601", "1e999",
		"-1e999", "99999999999", "99999999999.0" };
	char content[64];

	for (size_t i = 0; i < COUNT(values); i++) {
		snprintf(content, sizeof(content), "wait=%s;", values[i]);
		refused(content,
			"x.conf:1: 'wait': not in the range 0 to 3600 (seconds)\n");
		ck_assert_int_eq(sample.wait_ms, 0);
	}
	refused("step=0;", "x.conf:1: 'step': not in the range 0.1 to 60 (seconds)\n");
	refused("step=0.05;", "x.conf:1: 'step': not in the range 0.1 to 60 (seconds)\n");
}
END_TEST

START_TEST(empty_string_and_relative_path_are_refused)
{
	refused("name=\"\";", "x.conf:1: 'name': empty\n");
	refused("path=\"\";", "x.conf:1: 'path': empty\n");
	refused("path=\"run/x\";", "x.conf:1: 'path': not an absolute path\n");
}
END_TEST

START_TEST(all_errors_are_told_in_the_order_of_lines)
{
	refused("prot=1;\nport=\"1\";\ngroup:\n{\n inner=11;\n x=1;\n};\nname=\"\";\n"
		"groups=({ inner=1; },\n 5,\n { });\n",
		"x.conf:1: unknown key 'prot'\n"
		"x.conf:2: 'port': an integer is wanted, not a string\n"
		"x.conf:5: 'inner': not in the range 0 to 10\n"
		"x.conf:6: unknown key 'x'\n"
		"x.conf:8: 'name': empty\n"
		"x.conf:10: 'groups': a group is wanted, not an integer\n"
		"x.conf:10: 'inner' is missing\n"
		"x.conf:11: 'inner' is missing\n");
}
END_TEST

START_TEST(errors_added_later_stand_in_the_order_of_lines)
{
	refused("wait=1;\nprot=1;\nstep=99;\n",
		"x.conf:2: unknown key 'prot'\n"
		"x.conf:3: 'step': not in the range 0.1 to 60 (seconds)\n");
	conf_error(conf, NULL, "no %s", "routes");
	conf_error(conf, conf_find(conf, "prot"), "second of %d", 2);
	conf_error(conf, conf_find(conf, "wait"), "first");
	errors_are("x.conf:1: first\n"
		   "x.conf:2: unknown key 'prot'\n"
		   "x.conf:2: second of 2\n"
		   "x.conf:3: 'step': not in the range 0.1 to 60 (seconds)\n"
		   "x.conf: no routes\n");
}
END_TEST

START_TEST(all_errors_of_the_text_are_told)
{
	refused("name=\"x\nwait=1;\n@include \"/dev/null\"\n/*\n",
		"x.conf:1: the string that begins here does not end on its line\n"
		"x.conf:3: /dev/null: not a regular file\n"
		"x.conf:4: the comment that begins here has no end\n");
	conf_error(conf, NULL, "no routes");
	ck_assert_uint_eq(conf_errors(conf), 4);
	ck_assert_ptr_nonnull(strstr(conf_error_text(conf, 3), "x.conf: no routes"));
}
END_TEST

START_TEST(crlf_is_accepted)
{
	accepted("port = 1081;\r\nname = \"x\";\r\n# end\r\n");
	ck_assert_int_eq(sample.port, 1081);
	ck_assert_str_eq(sample.name, "x");
}
END_TEST

START_TEST(one_value_an_array_and_a_list_are_the_same)
{
	static const char *const contents[] = { "list=6;", "list=[6];", "list=(6);",
		"list=[1,2,3];", "list=(1,2,3);" };

	for (size_t i = 0; i < COUNT(contents); i++) {
		accepted(contents[i]);
		ck_assert_int_eq(sample.list_count, i < 3 ? 1 : 3);
		ck_assert_int_eq(sample.list_sum, 6);
	}
	accepted("list=[];");
	ck_assert_int_eq(sample.list_count, 0);
	accepted("groups: { inner = 1; };");
	ck_assert_int_eq(sample.inner, 1);
	accepted("groups=({ inner = 1; }, { inner = 2; });");
	ck_assert_int_eq(sample.inner, 3);
}
END_TEST

START_TEST(ports_are_strings_or_numbers)
{
	accepted("ports=(\"80-90\", 443, 0, 65535, 8887L);");
	ck_assert_str_eq(sample.ports, "80-90 443 0 65535 8887 ");
	accepted("ports=8887;");
	ck_assert_str_eq(sample.ports, "8887 ");
	refused("ports=(-1,\n65536,\n4294968377,\n1.5,\n(1));",
		"x.conf:1: 'ports': not in the range 0 to 65535\n"
		"x.conf:2: 'ports': not in the range 0 to 65535\n"
		"x.conf:3: 'ports': not in the range 0 to 65535\n"
		"x.conf:4: 'ports': a string or a port number is wanted, not a fraction\n"
		"x.conf:5: 'ports': a string or a port number is wanted, not a list\n");
	ck_assert_str_eq(sample.ports, "? ? ? ? ? ");
}
END_TEST

START_TEST(strings_in_a_list_have_the_line_they_stand_on)
{
	refused("list = [\n \"a\",\n \"b\"\n];\nprot=1;\n",
		"x.conf:2: 'list': an integer is wanted, not a string\n"
		"x.conf:3: 'list': an integer is wanted, not a string\n"
		"x.conf:5: unknown key 'prot'\n");
	refused("list = (\n \"a\" # x\n ,\n \"b\" /*\n */ ) ;\n",
		"x.conf:2: 'list': an integer is wanted, not a string\n"
		"x.conf:4: 'list': an integer is wanted, not a string\n");
}
END_TEST

START_TEST(a_setting_is_found_at_the_top_only)
{
	accepted("port=1; group: { inner=2; };");
	ck_assert_ptr_nonnull(conf_find(conf, "port"));
	ck_assert_ptr_null(conf_find(conf, "inner"));
}
END_TEST

START_TEST(settings_begin_with_the_defaults)
{
	accepted("");
	ck_assert_ptr_null(sample.common.user);
	ck_assert_ptr_null(sample.common.group);
	ck_assert_ptr_null(sample.common.chroot);
	ck_assert_ptr_null(sample.common.pidfile);
	ck_assert_int_eq(sample.common.facility, LOG_DAEMON);
	ck_assert_int_eq(sample.common.level, LOG_L_INFO);
	ck_assert_int_eq(sample.common.handshake_ms, 10000);
	ck_assert_int_eq(sample.common.connect_ms, 15000);
	ck_assert_int_eq(sample.common.idle_ms, 86400000);
	ck_assert_int_eq(sample.common.half_closed_ms, 300000);
	ck_assert_int_eq(sample.common.drain_ms, 30000);
	ck_assert_int_eq(sample.common.max_tunnels, 0);
}
END_TEST

START_TEST(settings_are_read)
{
	accepted("user = \"u\";\nchroot = \"/var/empty\";\npidfile = \"/run/x.pid\";\n"
		 "log: { facility = \"local3\"; level = \"debug\"; };\n"
		 "limits: { tunnels = 12; };\n"
		 "timeouts: { handshake = 0.5; connect = 1; idle = 0; half_closed = 0;\n"
		 " drain = 0; };\n");
	ck_assert_str_eq(sample.common.user, "u");
	ck_assert_str_eq(sample.common.chroot, "/var/empty");
	ck_assert_str_eq(sample.common.pidfile, "/run/x.pid");
	ck_assert_int_eq(sample.common.facility, LOG_LOCAL3);
	ck_assert_int_eq(sample.common.level, LOG_L_DEBUG);
	ck_assert_int_eq(sample.common.max_tunnels, 12);
	ck_assert_int_eq(sample.common.handshake_ms, 500);
	ck_assert_int_eq(sample.common.connect_ms, 1000);
	ck_assert_int_eq(sample.common.idle_ms, 0);
	ck_assert_int_eq(sample.common.half_closed_ms, 0);
	ck_assert_int_eq(sample.common.drain_ms, 0);
}
END_TEST

START_TEST(settings_out_of_range_are_told)
{
	refused("limits: { tunnels = -1;\n per_client = 1; };\n"
		"timeouts: { handshake = 0;\n connect = 3601;\n idle = 315360001;\n"
		" half_closed = -1;\n drain = 86401; };\n",
		"x.conf:1: 'tunnels': not in the range 0 to 1000000\n"
		"x.conf:2: unknown key 'per_client'\n"
		"x.conf:3: 'handshake': not in the range 0.1 to 3600 (seconds)\n"
		"x.conf:4: 'connect': not in the range 0.1 to 3600 (seconds)\n"
		"x.conf:5: 'idle': not in the range 0 to 315360000 (seconds)\n"
		"x.conf:6: 'half_closed': not in the range 0 to 315360000 (seconds)\n"
		"x.conf:7: 'drain': not in the range 0 to 86400 (seconds)\n");
	accepted("timeouts: { idle = 315360000; half_closed = 315360000; };");
	ck_assert_int_eq(sample.common.idle_ms, INT64_C(315360000000));
}
END_TEST

START_TEST(unknown_words_are_told_with_the_known_ones)
{
	refused("log: { facility = \"demon\";\n level = \"warn\"; };",
		"x.conf:1: 'facility': none of auth, cron, daemon, lpr, mail, news, "
		"user, "
		"uucp, local0 to local7\n"
		"x.conf:2: 'level': none of error, warning, notice, info, debug\n");
	refused("log: { facility = 3;\n level = 4; };",
		"x.conf:1: 'facility': a string is wanted, not an integer\n"
		"x.conf:2: 'level': a string is wanted, not an integer\n");
}
END_TEST

/* They are told by name in the error of the test above. */
START_TEST(the_words_that_are_told_are_known)
{
	static const char *const facilities[] = { "auth", "cron", "daemon", "lpr", "mail",
		"news", "user", "uucp", "local0", "local1", "local2", "local3", "local4",
		"local5", "local6", "local7" };
	static const char *const levels[] = { "error", "warning", "notice", "info",
		"debug" };

	for (size_t i = 0; i < COUNT(facilities); i++)
		ck_assert_int_ne(log_facility(facilities[i]), -1);
	for (size_t i = 0; i < COUNT(levels); i++)
		ck_assert_int_eq(log_level(levels[i]), (int)i);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("conf");
	TCase *t = tcase_create("conf");

	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(t, make_dir, remove_dir);
	tcase_add_checked_fixture(t, NULL, forget);
	tcase_add_test(t, values_reach_the_struct);
	tcase_add_test(t, values_not_in_the_file_are_left_as_they_are);
	tcase_add_test(t, values_that_are_refused_leave_the_old_ones);
	tcase_add_test(t, a_string_replaces_the_one_that_was_there);
	tcase_add_test(t, file_that_cannot_be_read_is_an_error);
	tcase_add_test(t, syntax_error_has_its_line);
	tcase_add_test(t, syntax_error_of_an_included_file_has_its_name_and_line);
	tcase_add_test(t, errors_of_values_in_included_files_have_their_names_and_lines);
	tcase_add_test(t, mixed_array_is_explained);
	tcase_add_test(t, endless_nesting_is_a_syntax_error);
	tcase_add_test(t, duplicate_key_is_told);
	tcase_add_test(t, what_stands_before_a_syntax_error_is_checked_too);
	tcase_add_test(t, group_cut_short_by_a_syntax_error_is_not_said_to_lack_a_key);
	tcase_add_test(t, unknown_keys_are_told);
	tcase_add_test(t, wrong_types_are_told);
	tcase_add_test(t, values_out_of_range_are_told_with_the_range);
	tcase_add_test(t, integer_with_suffix_is_what_it_says);
	tcase_add_test(t, large_integer_does_not_pass_a_careless_reader);
	tcase_add_test(t, seconds_are_whole_or_fractions);
	tcase_add_test(t, a_time_above_zero_never_becomes_zero);
	tcase_add_test(t, seconds_out_of_range_are_told);
	tcase_add_test(t, empty_string_and_relative_path_are_refused);
	tcase_add_test(t, all_errors_are_told_in_the_order_of_lines);
	tcase_add_test(t, errors_added_later_stand_in_the_order_of_lines);
	tcase_add_test(t, all_errors_of_the_text_are_told);
	tcase_add_test(t, crlf_is_accepted);
	tcase_add_test(t, one_value_an_array_and_a_list_are_the_same);
	tcase_add_test(t, ports_are_strings_or_numbers);
	tcase_add_test(t, strings_in_a_list_have_the_line_they_stand_on);
	tcase_add_test(t, a_setting_is_found_at_the_top_only);
	tcase_add_test(t, settings_begin_with_the_defaults);
	tcase_add_test(t, settings_are_read);
	tcase_add_test(t, settings_out_of_range_are_told);
	tcase_add_test(t, unknown_words_are_told_with_the_known_ones);
	tcase_add_test(t, the_words_that_are_told_are_known);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
