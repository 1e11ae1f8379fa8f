/* SPDX-License-Identifier: ISC */
/* Tests of endpoint: which port it gets, which address is told, and how that is
 * configured. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "net.h"
#include "tcp.h"

#define PORTS 5

static const struct conf_key keys[] = {
	{ "ports", conf_read_ports, offsetof(struct endpoint_conf, ports), 0, 0, NULL },
	{ "advertise", endpoint_read_advertise, 0, 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_from_text(&a, text, port));
	return a;
}

/* A socket of that type on a port that the system picks. Returns its port. */
static uint16_t
take_port(int type, int *fd)
{
	struct addr a = address("127.0.0.1", 0);

	*fd = socket(AF_INET, type, 0);
	ck_assert_int_eq(bind(*fd, &a.u.sa, a.len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(*fd, 1), 0);
	ck_assert_int_eq(net_local(*fd, &a), 0);
	return addr_port(&a);
}

static void
add_port(struct endpoint_conf *conf, uint16_t port)
{
	const struct port_range range = { port, port };

	ck_assert_int_eq(ports_add(&conf->ports, &range), 0);
}

/* A range (of many pieces) whose ports are all taken, by held. */
static void
fill_range(struct endpoint_conf *conf, int type, int held[PORTS])
{
	for (int i = 0; i < PORTS; i++)
		add_port(conf, take_port(type, &held[i]));
}

static void
close_all(const int held[PORTS])
{
	for (int i = 0; i < PORTS; i++)
		if (held[i] != -1)
			close(held[i]);
}

START_TEST(without_a_range_it_is_any_free_port)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 1), told, real;
	int fd = endpoint_open(&conf, &local, types[_i], &told);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, &real), 0);
	ck_assert(addr_equal(&told, &real));
	ck_assert_int_gt(addr_port(&told), 1);
	close(fd);
}
END_TEST

START_TEST(a_stream_listens_when_it_is_told)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 0), told, used;
	struct io_limit limit = { io_now_ms() + 30000, -1 };
	int fd = endpoint_open(&conf, &local, SOCK_STREAM, &told);
	int peer = net_dial(&told, 1, NULL, &limit, &used), accepted;

	ck_assert_int_ne(peer, -1);
	accepted = accept(fd, NULL, NULL);
	ck_assert_int_ne(accepted, -1);
	close(accepted);
	close(peer);
	close(fd);
}
END_TEST

START_TEST(a_datagram_socket_receives_at_what_is_told)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 0), told;
	int fd = endpoint_open(&conf, &local, SOCK_DGRAM, &told);
	int peer = socket(AF_INET, SOCK_DGRAM, 0);
	char got[8];

	ck_assert_int_eq(sendto(peer, "hello", 5, 0, &told.u.sa, told.len), 5);
	ck_assert_int_eq(recv(fd, got, sizeof(got), 0), 5);
	close(peer);
	close(fd);
}
END_TEST

START_TEST(the_last_free_port_of_a_range_is_found)
{
	for (int left = 0; left < PORTS; left++) {
		struct endpoint_conf conf = { .told_ipv4.len = 0 };
		struct addr local = address("127.0.0.1", 0), told, want;
		int held[PORTS], fd;

		fill_range(&conf, types[_i], held);
		ck_assert_int_eq(net_local(held[left], &want), 0);
		close(held[left]);
		held[left] = -1;
		fd = endpoint_open(&conf, &local, types[_i], &told);
		ck_assert_int_ne(fd, -1);
		ck_assert(addr_equal(&told, &want));
		close(fd);
		close_all(held);
		endpoint_conf_free(&conf);
	}
}
END_TEST

START_TEST(a_range_whose_ports_are_taken_is_told)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 0), told;
	int held[PORTS];

	fill_range(&conf, types[_i], held);
	ck_assert_int_eq(endpoint_open(&conf, &local, types[_i], &told), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close_all(held);
	endpoint_conf_free(&conf);
}
END_TEST

START_TEST(two_sockets_never_share_a_port)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 0), told;
	int held, fd;

	add_port(&conf, take_port(types[_i], &held));
	close(held);
	fd = endpoint_open(&conf, &local, types[_i], &told);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(endpoint_open(&conf, &local, types[_i], &told), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(fd);
	endpoint_conf_free(&conf);
}
END_TEST

/* A range would be used up by the tunnels that have begun on it. */
START_TEST(a_port_is_free_again_while_a_connection_from_it_lives)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 0), told, again, used;
	struct io_limit limit = { io_now_ms() + 30000, -1 };
	int held, fd, peer, accepted;

	add_port(&conf, take_port(SOCK_STREAM, &held));
	close(held);
	fd = endpoint_open(&conf, &local, SOCK_STREAM, &told);
	peer = net_dial(&told, 1, NULL, &limit, &used);
	accepted = accept(fd, NULL, NULL);
	ck_assert(fd != -1 && peer != -1 && accepted != -1);
	close(fd);
	fd = endpoint_open(&conf, &local, SOCK_STREAM, &again);
	ck_assert_int_ne(fd, -1);
	ck_assert(addr_equal(&told, &again));
	close(fd);
	close(peer);
	close(accepted);
	endpoint_conf_free(&conf);
}
END_TEST

/* Ranges may be of any size; all of their ports are used. */
START_TEST(every_port_of_a_range_is_used_some_time)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("127.0.0.1", 0), told;
	int held[PORTS], seen = 0;

	fill_range(&conf, SOCK_STREAM, held);
	close_all(held);
	for (int tries = 0; tries < 1000 && seen != (1 << PORTS) - 1; tries++) {
		int fd = endpoint_open(&conf, &local, SOCK_STREAM, &told);

		ck_assert_int_ne(fd, -1);
		for (int i = 0; i < PORTS; i++)
			if (conf.ports.list[i].first == addr_port(&told))
				seen |= 1 << i;
		close(fd);
	}
	ck_assert_int_eq(seen, (1 << PORTS) - 1);
	endpoint_conf_free(&conf);
}
END_TEST

START_TEST(the_advertised_address_is_told_with_the_real_port)
{
	struct endpoint_conf conf = { .told_ipv4 = address("203.0.113.5", 0) };
	struct addr local = address("127.0.0.1", 0), told, real;
	int fd = endpoint_open(&conf, &local, types[_i], &told);
	struct addr want;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, &real), 0);
	want = address("203.0.113.5", addr_port(&real));
	ck_assert(addr_equal(&told, &want));
	close(fd);
}
END_TEST

START_TEST(the_other_family_is_told_as_it_is)
{
	struct endpoint_conf conf = { .told_ipv6 = address("2001:db8::5", 0) };
	struct addr local = address("127.0.0.1", 0), told, real;
	int fd = endpoint_open(&conf, &local, types[_i], &told);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, &real), 0);
	ck_assert(addr_equal(&told, &real));
	close(fd);
}
END_TEST

START_TEST(ipv6_has_its_own_advertised_address)
{
	struct endpoint_conf conf = { .told_ipv4 = address("203.0.113.5", 0),
		.told_ipv6 = address("2001:db8::5", 0) };
	struct addr local = address("::1", 0), told, want;
	int fd = endpoint_open(&conf, &local, types[_i], &told);

	if (fd == -1) /* a machine without IPv6 */
		return;
	want = address("2001:db8::5", addr_port(&told));
	ck_assert(addr_equal(&told, &want));
	ck_assert_int_ne(addr_port(&told), 0);
	close(fd);
}
END_TEST

START_TEST(an_address_that_the_machine_lacks_is_an_error)
{
	struct endpoint_conf conf = { .told_ipv4.len = 0 };
	struct addr local = address("192.0.2.77", 0), told;

	ck_assert_int_eq(endpoint_open(&conf, &local, types[_i], &told), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

/* Reads a file with that text. The caller frees the conf. */
static struct conf *
read_text(const char *text, struct endpoint_conf *conf)
{
	char dir[] = "/tmp/test_endpoint.XXXXXX", path[64];
	struct conf *file;
	FILE *f;

	*conf = (struct endpoint_conf){ .told_ipv4.len = 0 };
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	file = conf_read(path, keys, conf);
	unlink(path);
	rmdir(dir);
	ck_assert_ptr_nonnull(file);
	return file;
}

START_TEST(ports_and_one_address_of_each_family_are_read)
{
	struct endpoint_conf conf;
	struct conf *file = read_text("ports = ( \"40000-40999\", 41000 );\n"
				      "advertise = [ \"203.0.113.5\", \"2001:db8::5\" ];",
		&conf);
	struct addr ipv4 = address("203.0.113.5", 0), ipv6 = address("2001:db8::5", 0);

	ck_assert_uint_eq(conf_errors(file), 0);
	ck_assert(ports_hold(&conf.ports, 40000) && ports_hold(&conf.ports, 41000));
	ck_assert(addr_equal(&conf.told_ipv4, &ipv4));
	ck_assert(addr_equal(&conf.told_ipv6, &ipv6));
	conf_free(file);
	endpoint_conf_free(&conf);
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
	{ "advertise = \"example.com\";",
		"'advertise': example.com: an IP address is wanted" },
	{ "advertise = \"203.0.113.5:80\";", "an IP address is wanted" },
	{ "advertise = 5;", "a string" },
	{ "advertise = ();", "'advertise': at least one address is wanted" },
	{ "advertise = \"0.0.0.0\";", "nothing can be sent to this address" },
	{ "advertise = \"::\";", "nothing can be sent to this address" },
	{ "advertise = \"224.0.0.1\";", "nothing can be sent to this address" },
	{ "advertise = \"255.255.255.255\";", "nothing can be sent to this address" },
	{ "advertise = [ \"203.0.113.5\", \"203.0.113.6\" ];",
		"203.0.113.6: one address of each family is enough" },
	{ "ports = 0;", "'ports'" },
};

START_TEST(bad_values_are_told)
{
	struct endpoint_conf conf;
	struct conf *file = read_text(bad[_i].text, &conf);

	ck_assert_uint_eq(conf_errors(file), 1);
	ck_assert_ptr_nonnull(strstr(conf_error_text(file, 0), bad[_i].error));
	conf_free(file);
	endpoint_conf_free(&conf);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("endpoint");
	TCase *tc = tcase_create("endpoint");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, without_a_range_it_is_any_free_port, 0, 2);
	tcase_add_test(tc, a_stream_listens_when_it_is_told);
	tcase_add_test(tc, a_datagram_socket_receives_at_what_is_told);
	tcase_add_loop_test(tc, the_last_free_port_of_a_range_is_found, 0, 2);
	tcase_add_loop_test(tc, a_range_whose_ports_are_taken_is_told, 0, 2);
	tcase_add_loop_test(tc, two_sockets_never_share_a_port, 0, 2);
	tcase_add_test(tc, a_port_is_free_again_while_a_connection_from_it_lives);
	tcase_add_test(tc, every_port_of_a_range_is_used_some_time);
	tcase_add_loop_test(tc, the_advertised_address_is_told_with_the_real_port, 0, 2);
	tcase_add_loop_test(tc, the_other_family_is_told_as_it_is, 0, 2);
	tcase_add_loop_test(tc, ipv6_has_its_own_advertised_address, 0, 2);
	tcase_add_loop_test(tc, an_address_that_the_machine_lacks_is_an_error, 0, 2);
	tcase_add_test(tc, ports_and_one_address_of_each_family_are_read);
	tcase_add_loop_test(
		tc, bad_values_are_told, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
