/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of the configuration of pppd-socks: tables of files, with what they come to
 * as a text, or with the errors that they give, a line for each. In both the name of the
 * folder that the files are in is left out.
 */
#include "config.h"
#include "ppp_conf.h"

#include <check.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ONE_ROUTE "routes = ( { listen = 8887; target = \"a:1\"; } );\n"
/* The address that goes before the keys of the only upstream, and the end of the file. */
#define UPSTREAM     "upstreams = ( { address = \"s:1\";\n"
#define UPSTREAM_END "} );\n" ONE_ROUTE
#define ROUTE	     "routes = ( { listen = 8887; target = \"a:1\";\n"
#define ROUTE_END    "} );\n"
#define UDP	     "routes = ( { listen = 53; target = \"a:53\"; protocol = \"udp\";\n"

static char dir[] = "/tmp/test_ppp_conf.XXXXXX"; /* of all tests, one after the other */

static struct ppp_conf ppp;
static struct conf *conf;
static char out[64 * 1024]; /* what has been printed */
static size_t out_len;

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

static void
begin(void)
{
	ppp_conf_init(&ppp);
	conf = NULL;
	out_len = 0;
	out[0] = '\0';
}

static void
end(void)
{
	conf_free(conf);
	ppp_conf_free(&ppp);
}

static void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Adds to out. */
static void
put(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out + out_len, sizeof(out) - out_len, fmt, ap);
	va_end(ap);
	ck_assert(n >= 0 && (size_t)n < sizeof(out) - out_len);
	out_len += (size_t)n;
}

/* A file of that mode in the folder. "DIR" in its content is the folder. */
static const char *
write_file(const char *name, mode_t mode, const char *content)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (const char *at; (at = strstr(content, "DIR")); content = at + 3)
		fprintf(f, "%.*s%s", (int)(at - content), content, dir);
	ck_assert_int_ne(fputs(content, f), EOF);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static void
write_secrets(void)
{
	static char longest[256 + 1];

	memset(longest, 'x', 256);
	write_file("secret", 0600, "open sesame\n");
	write_file("readable", 0644, "open sesame\n");
	write_file("empty", 0600, "\n");
	write_file("long", 0600, longest);
}

static void
read_conf(const char *content)
{
	write_secrets();
	conf = ppp_conf_read(&ppp, write_file("x.conf", 0600, content));
	ck_assert_ptr_nonnull(conf);
}

/* text without each of the parts that are what. */
static void
put_without(const char *text, const char *what)
{
	for (const char *at; (at = strstr(text, what)); text = at + strlen(what))
		put("%.*s", (int)(at - text), text);
	put("%s", text);
}

/*
 * Prints all errors, one a line: without the folder, and where there is a line, "LINE: ",
 * without the name of the file.
 */
static void
put_errors(void)
{
	char file[64];

	snprintf(file, sizeof(file), "%s/x.conf:", dir);
	for (size_t i = 0; i < conf_errors(conf); i++) {
		const char *text = conf_error_text(conf, i);

		if (strncmp(text, file, strlen(file)) == 0 && text[strlen(file)] != ' ')
			text += strlen(file);
		put_without(text, dir);
		put("\n");
	}
}

static void
refused(const char *content, const char *errors)
{
	begin();
	read_conf(content);
	put_errors();
	ck_assert_msg(
		strcmp(out, errors) == 0, "%s\ngives\n%s\nnot\n%s", content, out, errors);
	end();
}

/* ---- what a configuration comes to ---- */

static void
put_upstreams(void)
{
	for (size_t i = 0; i < ppp.n_upstreams; i++) {
		const struct upstream *u = ppp.upstreams[i];
		char text[HOSTPORT_TEXT];

		put("upstream %s %s*%d", u->name, hostport_text(&u->address, text),
			u->weight);
		if (u->credentials.name_len > 0)
			put(" user=%.*s:%.*s", u->credentials.name_len,
				(const char *)u->credentials.name,
				u->credentials.password_len,
				(const char *)u->credentials.password);
		put("%s", u->pipelined ? " pipelined" : "");
		if (u->spare > 0)
			put(" spare=%d", u->spare);
		put("%s", u->proxy_protocol ? " proxy" : "");
		if (u->connect_as)
			put(" as=%s", u->connect_as);
		put("\n");
	}
}

static void
put_port(const struct route_port *port)
{
	char text[HOSTPORT_TEXT];

	put("  %s:", port->name);
	for (int t = 0; t < port->n_targets; t++)
		put(" %s*%d", hostport_text(&port->targets[t].address, text),
			port->target_members[t].weight);
	put("\n");
}

/* What is not as by default. */
static void
put_route_keys(const struct route *route)
{
	static const char *const failures[] = { "reset", "close", "refuse" };
	char text[CIDR_TEXT];

	if (route->clients.n > 0)
		put(" clients");
	for (size_t i = 0; i < route->clients.n; i++)
		put("%c%s", i == 0 ? '=' : ',', cidr_text(&route->clients.list[i], text));
	if (route->limit > 0)
		put(" limit=%d", route->limit);
	if (route->idle_ms != -1)
		put(" idle=%lld", (long long)route->idle_ms);
	if (route->on_failure != ON_FAILURE_RESET)
		put(" on_failure=%s", failures[route->on_failure]);
	if (route->proxy_protocol > 0)
		put(" proxy=%d", route->proxy_protocol);
	if (route->probe_ms > 0)
		put(" probe=%lld", (long long)route->probe_ms);
}

static void
put_routes(void)
{
	for (const struct route *route = ppp.routes; route; route = route->next) {
		put("route %s %s", route->name ? route->name : "-",
			route->udp ? "udp" : "tcp");
		put(" %s %s", balance_word(route->balance),
			balance_word(route->upstream_balance));
		for (int i = 0; i < route->n_upstreams; i++)
			put("%c%s", i == 0 ? ' ' : ',', route->upstreams[i]->name);
		put_route_keys(route);
		put("\n");
		for (int i = 0; i < route->n_ports; i++)
			put_port(&route->ports[i]);
	}
}

static void
put_places(const char *word, const struct places *places)
{
	for (size_t i = 0; i < places->n; i++) {
		const struct route_port *port = places->list[i].via;
		char text[ADDR_TEXT];

		put("%s %s %s\n", word, addr_text(&places->list[i].at.addr, text),
			port->name);
	}
}

#define PLACES_8887 "tcp 127.0.0.1:8887 8887\ntcp [::1]:8887 8887\n"
#define UPSTREAM_S  "upstream s:1 s:1*1\n"
#define BY_DEFAULT  "upstream 127.0.0.1:1081 127.0.0.1:1081*1\n"
#define ROUTE_S                                                                          \
	"route - tcp round-robin round-robin s:1\n"                                      \
	"  8887: a:1*1\n" PLACES_8887
#define ROUTE_1                                                                          \
	"route - tcp round-robin round-robin 127.0.0.1:1081\n"                           \
	"  8887: a:1*1\n" PLACES_8887

static const struct {
	const char *content, *expected;
} good[] = {
	/* defaults */
	{ ONE_ROUTE, BY_DEFAULT ROUTE_1 },
	{ "routes = ( { listen = \"8887\"; target = [ \"a:1\" ]; } );",
		BY_DEFAULT ROUTE_1 },
	{ "routes = ( { listen = 8887; targets = { address = \"a:1\"; }; } );",
		BY_DEFAULT ROUTE_1 },

	/* upstreams */
	{ UPSTREAM "weight = 1000; handshake = \"pipelined\"; spare = 256;" UPSTREAM_END,
		"upstream s:1 s:1*1000 pipelined spare=256\n" ROUTE_S },
	{ UPSTREAM "weight = 1; handshake = \"standard\"; spare = 0;" UPSTREAM_END,
		UPSTREAM_S ROUTE_S },
	{ UPSTREAM "username = \"ppp\"; password_file = \"DIR/secret\";" UPSTREAM_END,
		"upstream s:1 s:1*1 user=ppp:open sesame\n" ROUTE_S },
	{ UPSTREAM "proxy_protocol = true; connect_as = \"x.example\"; spare = "
		   "0;" UPSTREAM_END,
		"upstream s:1 s:1*1 proxy as=x.example\n" ROUTE_S },
	{ ONE_ROUTE "upstreams = ( { name = \"x\"; address = \"s:1\"; weight = 3; },\n"
		    "{ address = \"[::1]:2\"; }, { address = \"s:1\"; } );",
		"upstream x s:1*3\nupstream [::1]:2 [::1]:2*1\n" UPSTREAM_S
		"route - tcp round-robin round-robin x,[::1]:2,s:1\n"
		"  8887: a:1*1\n" PLACES_8887 },

	/* a route's upstreams, also before they are there */
	{ ROUTE "upstreams = [ \"y\", \"x\" ]; upstream_balance = \"first\";" ROUTE_END
		"upstreams = ( { name = \"x\"; address = \"s:1\"; },\n"
		"{ name = \"y\"; address = \"s:2\"; }, { address = \"s:3\"; } );",
		"upstream x s:1*1\nupstream y s:2*1\nupstream s:3 s:3*1\n"
		"route - tcp round-robin first y,x\n"
		"  8887: a:1*1\n" PLACES_8887 },
	{ ROUTE "upstreams = \"127.0.0.1:1081\";" ROUTE_END, BY_DEFAULT ROUTE_1 },

	/* the other keys of a route */
	{ "routes = ( { listen = \"127.0.0.1:0\"; name = \"db\"; balance = \"least\";\n"
	  "targets = ( \"a:1\", { address = \"[::1]:2\"; weight = 1000; } );\n"
	  "clients = [ \"10.0.0.0/8\", \"::1\" ]; limit = 200; idle = 600.5;\n"
	  "on_failure = \"refuse\"; proxy_protocol = 2;\n"
	  "probe: { interval = 0.1; }; protocol = \"tcp\"; } );",
		BY_DEFAULT
		"route db tcp least round-robin 127.0.0.1:1081 clients=10.0.0.0/8,::1 "
		"limit=200 idle=600500 on_failure=refuse proxy=2 probe=100\n"
		"  db: a:1*1 [::1]:2*1000\n"
		"tcp 127.0.0.1:0 db\n" },
	{ ROUTE "balance = \"first\"; on_failure = \"close\"; proxy_protocol = 1;"
		"limit = 1000000; idle = 0; probe = { interval = 86400; };" ROUTE_END,
		BY_DEFAULT "route - tcp first round-robin 127.0.0.1:1081 "
			   "limit=1000000 idle=0 on_failure=close proxy=1 "
			   "probe=86400000\n"
			   "  8887: a:1*1\n" PLACES_8887 },
	{ ROUTE "balance = \"source\"; on_failure = \"reset\"; proxy_protocol = 0;"
		"limit = 0; probe = { interval = 0; };" ROUTE_END,
		BY_DEFAULT "route - tcp source round-robin 127.0.0.1:1081\n"
			   "  8887: a:1*1\n" PLACES_8887 },
	{ "routes = ( { listen = \"127.0.0.1:0\"; target = \"a:1\"; } );",
		BY_DEFAULT "route - tcp round-robin round-robin 127.0.0.1:1081\n"
			   "  0: a:1*1\n"
			   "tcp 127.0.0.1:0 0\n" },

	/* ranges: one to one, to one port; names */
	{ "routes = ( { listen = \"127.0.0.1:9000-9002\";\n"
	  "targets = ( \"f:8000-8002\", \"[::1]:80\" ); } );",
		BY_DEFAULT "route - tcp round-robin round-robin 127.0.0.1:1081\n"
			   "  9000: f:8000*1 [::1]:80*1\n"
			   "  9001: f:8001*1 [::1]:80*1\n"
			   "  9002: f:8002*1 [::1]:80*1\n"
			   "tcp 127.0.0.1:9000 9000\n"
			   "tcp 127.0.0.1:9001 9001\n"
			   "tcp 127.0.0.1:9002 9002\n" },
	{ "routes = ( { listen = \"*:9000-9001\"; name = \"farm\";\n"
	  "target = { address = \"f:65534-65535\"; weight = 2; }; } );",
		BY_DEFAULT "route farm tcp round-robin round-robin 127.0.0.1:1081\n"
			   "  farm: f:65534*2\n"
			   "  farm: f:65535*2\n"
			   "tcp 0.0.0.0:9000 farm\ntcp [::]:9000 farm\n"
			   "tcp 0.0.0.0:9001 farm\ntcp [::]:9001 farm\n" },
	{ "routes = ( { listen = \"[::1]:7-7\"; target = \"my-host:8-8\"; } );",
		BY_DEFAULT "route - tcp round-robin round-robin 127.0.0.1:1081\n"
			   "  7: my-host:8*1\n"
			   "tcp [::1]:7 7\n" },
	{ "routes = ( { listen = \"65534-65535\"; target = \"a:1\"; } );",
		BY_DEFAULT "route - tcp round-robin round-robin 127.0.0.1:1081\n"
			   "  65534: a:1*1\n"
			   "  65535: a:1*1\n"
			   "tcp 127.0.0.1:65534 65534\ntcp [::1]:65534 65534\n"
			   "tcp 127.0.0.1:65535 65535\ntcp [::1]:65535 65535\n" },

	/* UDP, which has ports of its own */
	{ UDP "balance = \"source\"; }, { listen = 53; target = \"a:1\"; } );",
		BY_DEFAULT "route - udp source round-robin 127.0.0.1:1081 limit=1024 "
			   "idle=120000\n"
			   "  53: a:53*1\n"
			   "route - tcp round-robin round-robin 127.0.0.1:1081\n"
			   "  53: a:1*1\n"
			   "tcp 127.0.0.1:53 53\ntcp [::1]:53 53\n"
			   "udp 127.0.0.1:53 53\nudp [::1]:53 53\n" },
	{ UDP "limit = 5; idle = 0; clients = \"::1\"; } );",
		BY_DEFAULT "route - udp round-robin round-robin 127.0.0.1:1081 "
			   "clients=::1 limit=5 idle=0\n"
			   "  53: a:53*1\n"
			   "udp 127.0.0.1:53 53\nudp [::1]:53 53\n" },
	{ UDP "limit = 0; } );",
		BY_DEFAULT "route - udp round-robin round-robin 127.0.0.1:1081 "
			   "limit=1024 idle=120000\n"
			   "  53: a:53*1\n"
			   "udp 127.0.0.1:53 53\nudp [::1]:53 53\n" },
};

START_TEST(good_file_comes_to_what_is_expected)
{
	begin();
	read_conf(good[_i].content);
	put_errors();
	ck_assert_str_eq(out, "");
	put_upstreams();
	put_routes();
	put_places("tcp", &ppp.places);
	put_places("udp", &ppp.udp_places);
	ck_assert_msg(strcmp(out, good[_i].expected) == 0, "%s\ngives\n%s\nnot\n%s",
		good[_i].content, out, good[_i].expected);
	end();
}
END_TEST

/* ---- what is wrong ---- */

static const struct {
	const char *content, *errors;
} bad[] = {
	/* upstreams */
	{ "upstreams = 5;\n"
	  "routes = 6;",
		"1: 'upstreams': a list ( { ... }, { ... } ) is wanted, not an integer\n"
		"2: 'routes': a list ( { ... }, { ... } ) is wanted, not an integer\n" },
	{ "upstreams = ();\n" ONE_ROUTE, "1: 'upstreams': at least one is wanted\n" },
	{ "upstreams = ( 5,\n"
	  " { weight = 2; } );\n" ONE_ROUTE,
		"1: 'upstreams': a group is wanted, not an integer\n"
		"2: an upstream needs 'address'\n" },
	{ "upstreams = ( { address = 5; },\n"
	  "{ address = \"s\"; },\n"
	  "{ address = \"s\"; } );\n" ONE_ROUTE,
		"1: 'address': a string \"HOST:PORT\" is wanted, not an integer\n"
		"2: 'address': s: a port must follow, as in HOST:PORT or [ADDRESS]:PORT\n"
		"3: 'address': s: a port must follow, as in HOST:PORT or "
		"[ADDRESS]:PORT\n" },
	{ "upstreams = ( { address = \"s:1-2\"; } );\n" ONE_ROUTE,
		"1: 'address': s:1-2: the port must be a number from 1 to 65535\n" },
	{ "upstreams = ( { address = \"s:1\"; name = \"x\"; },\n"
	  "{ address = \"s:2\";\n"
	  "name = \"x\"; } );\n" ONE_ROUTE,
		"3: an upstream of the name 'x' is there already\n" },
	{ "upstreams = ( { address = \"s:1\"; },\n"
	  "{ address = \"s:1\"; },\n"
	  "{ address = \"s:2\"; name = \"s:1\"; } );\n" ONE_ROUTE,
		"2: an upstream of the name 's:1' is there already\n"
		"3: an upstream of the name 's:1' is there already\n" },
	{ UPSTREAM "weight = 0;\n"
		   "spare = 257;\n"
		   "proxy_protocol = 1;\n"
		   "handshake = \"fast\";\n"
		   "name = \"\";\n"
		   "connect_as = \"\";\n"
		   "gssapi = 1;" UPSTREAM_END,
		"2: 'weight': not in the range 1 to 1000\n"
		"3: 'spare': not in the range 0 to 256\n"
		"4: 'proxy_protocol': true or false is wanted, not an integer\n"
		"5: 'handshake': none of standard, pipelined\n"
		"6: 'name': empty\n"
		"7: 'connect_as': empty\n"
		"8: unknown key 'gssapi'\n" },
	{ UPSTREAM "weight = 1001;\n"
		   "spare = -1;\n"
		   "handshake = 1;\n"
		   "connect_as = 1;" UPSTREAM_END,
		"2: 'weight': not in the range 1 to 1000\n"
		"3: 'spare': not in the range 0 to 256\n"
		"4: 'handshake': a string is wanted, not an integer\n"
		"5: 'connect_as': a string is wanted, not an integer\n" },
	{ UPSTREAM "connect_as = \"x\";" UPSTREAM_END,
		"2: 'connect_as': of no use without 'proxy_protocol = true'\n" },
	{ UPSTREAM "proxy_protocol = true;\n"
		   "spare = 1;" UPSTREAM_END,
		"3: 'spare': not possible with 'proxy_protocol'\n" },

	/* passwords */
	{ UPSTREAM "username = \"x\";" UPSTREAM_END,
		"2: 'username': it needs 'password_file'\n" },
	{ UPSTREAM "password_file = \"DIR/secret\";" UPSTREAM_END,
		"2: 'password_file': it needs 'username'\n" },
	{ UPSTREAM "username = \"\";\n"
		   "password_file = \"secret\";" UPSTREAM_END,
		"2: 'username': 1 to 255 bytes are wanted\n"
		"3: 'password_file': not an absolute path\n" },
	{ UPSTREAM "username = 1;\n"
		   "password_file = 1;" UPSTREAM_END,
		"2: 'username': a string is wanted, not an integer\n"
		"3: 'password_file': a string is wanted, not an integer\n" },
	{ UPSTREAM "username = \"x\"; password_file = \"DIR/none\";" UPSTREAM_END,
		"2: 'password_file': /none: No such file or directory\n" },
	{ UPSTREAM "username = \"x\"; password_file = \"DIR/readable\";" UPSTREAM_END,
		"2: 'password_file': /readable: group or others have access to it: its "
		"mode must be 0600 or 0400\n" },
	{ UPSTREAM "username = \"x\"; password_file = \"DIR/empty\";" UPSTREAM_END,
		"2: 'password_file': /empty: its first line is empty\n" },
	{ UPSTREAM "username = \"x\"; password_file = \"DIR/long\";" UPSTREAM_END,
		"2: 'password_file': /long: its first line has more than 255 bytes\n" },

	/* routes */
	{ "routes = ();", "/x.conf: there is no route: `routes' or -L is wanted\n" },
	{ "routes = ( { }, 5,\n"
	  "{ listen = 1; target = \"a:1\"; targets = \"b:1\"; } );",
		"1: a route needs 'listen'\n"
		"1: a route needs 'target' or 'targets'\n"
		"1: 'routes': a group is wanted, not an integer\n"
		"2: 'targets': either 'target' or this, not both\n" },
	{ ROUTE "balance = \"best\";\n"
		"upstream_balance = 1;\n"
		"on_failure = \"drop\";\n"
		"protocol = \"sctp\";\n"
		"proxy_protocol = 3;\n"
		"limit = -1;\n"
		"idle = -1;\n"
		"clients = \"x\";\n"
		"probe = 5;\n"
		"name = 1;\n"
		"control = 1;" ROUTE_END,
		"2: 'balance': none of first, round-robin, least, source\n"
		"3: 'upstream_balance': a string is wanted, not an integer\n"
		"4: 'on_failure': none of reset, close, refuse\n"
		"5: 'protocol': none of tcp, udp\n"
		"6: 'proxy_protocol': not in the range 0 to 2\n"
		"7: 'limit': not in the range 0 to 1000000\n"
		"8: 'idle': not in the range 0 to 315360000 (seconds)\n"
		"9: 'clients': x: an address or a network is wanted, as 192.0.2.0/24\n"
		"10: 'probe': a group is wanted, not an integer\n"
		"11: 'name': a string is wanted, not an integer\n"
		"12: unknown key 'control'\n" },
	{ ROUTE "upstream_balance = \"\";\n"
		"limit = 1000001;\n"
		"idle = 315360001;\n"
		"clients = [];\n"
		"probe = { interval = 0.09; };" ROUTE_END,
		"2: 'upstream_balance': none of first, round-robin, least, source\n"
		"3: 'limit': not in the range 0 to 1000000\n"
		"4: 'idle': not in the range 0 to 315360000 (seconds)\n"
		"5: 'clients': at least one value is wanted\n"
		"6: 'interval': 0, or not less than 0.1 (seconds)\n" },
	{ ROUTE "probe = { interval = 86401;\n"
		"every = 1; };" ROUTE_END,
		"2: 'interval': not in the range 0 to 86400 (seconds)\n"
		"3: unknown key 'every'\n" },

	/* a route's upstreams */
	{ ROUTE "upstreams = [ \"x\",\n"
		"\"s:1\",\n"
		"\"s:1\" ];" ROUTE_END "upstreams = ( { address = \"s:1\"; } );",
		"2: 'upstreams': there is no upstream 'x'\n"
		"4: 'upstreams': 's:1' stands there twice\n" },
	{ ROUTE "upstreams = \"dcs1\";" ROUTE_END,
		"2: 'upstreams': there is no upstream 'dcs1'\n" },
	{ ROUTE "upstreams = [];" ROUTE_END,
		"2: 'upstreams': at least one value is wanted\n" },
	{ ROUTE "upstreams = ( 99999999999,\n"
		"\"\" );" ROUTE_END UPSTREAM "} );",
		"2: 'upstreams': a string is wanted, not an integer\n"
		"3: 'upstreams': it must not be empty\n" },
	/* told with the other errors, but not where upstreams may stand behind one */
	{ ROUTE "upstreams = \"x\"; limit = \"\";" ROUTE_END UPSTREAM "} );",
		"2: 'limit': an integer is wanted, not a string\n"
		"2: 'upstreams': there is no upstream 'x'\n" },
	{ ROUTE "upstreams = \"x\";" ROUTE_END "chroot = ;\n" UPSTREAM "} );",
		"3: syntax error\n" },

	/* listen */
	{ "routes = ( { listen = true; target = \"a:1\"; },\n"
	  "{ listen = 65536; target = \"a:1\"; },\n"
	  "{ listen = 0; target = \"a:1\"; },\n"
	  "{ listen = \"localhost:80\"; target = \"a:1\"; },\n"
	  "{ listen = 99999999999; target = \"a:1\"; },\n"
	  "{ listen = \"my-host\"; target = \"my-host\"; } );",
		"1: 'listen': a string or a port number is wanted, not true or false\n"
		"2: 'listen': not in the range 0 to 65535\n"
		"3: 'listen': 0: the port must be a number from 1 to 65535\n"
		"4: 'listen': localhost:80: the address must be numeric, or * for every "
		"address\n"
		"5: 'listen': not in the range 0 to 65535\n"
		"6: 'listen': my-host: the port must be a number from 1 to 65535\n"
		"6: 'target': my-host: a port must follow, as in HOST:PORT or "
		"[ADDRESS]:PORT\n" },
	{ "routes = ( { listen = \"127.0.0.1:0-5\"; target = \"a:1\"; },\n"
	  "{ listen = \"*:9-8\"; target = \"a:1\"; },\n"
	  "{ listen = \"80-\"; target = \"a:1\"; },\n"
	  "{ listen = \"1-2-3\"; target = \"a:1\"; },\n"
	  "{ listen = \"*:65535-65536\"; target = \"a:1\"; },\n"
	  "{ listen = \"*:1-4097\"; target = \"a:1-2\"; } );",
		"1: 'listen': 127.0.0.1:0-5: a range of ports is wanted from 1 to 65535, "
		"the lower port first, as 8000-8999\n"
		"2: 'listen': *:9-8: a range of ports is wanted from 1 to 65535, the "
		"lower port first, as 8000-8999\n"
		"3: 'listen': 80-: a range of ports is wanted from 1 to 65535, the lower "
		"port first, as 8000-8999\n"
		"4: 'listen': 1-2-3: a range of ports is wanted from 1 to 65535, the "
		"lower port first, as 8000-8999\n"
		"5: 'listen': *:65535-65536: a range of ports is wanted from 1 to 65535, "
		"the lower port first, as 8000-8999\n"
		"6: 'listen': *:1-4097: a range of more than 4096 ports\n" },
	{ "routes = ( { listen = 8887; target = \"a:1\"; },\n"
	  "{ listen = \"*:8887\"; target = \"a:1\"; },\n"
	  "{ listen = \"8880-8890\"; name = \"farm\"; target = \"a:1\"; },\n"
	  "{ listen = \"x:8880-8890\"; target = \"a:1\"; } );",
		"2: 'listen': *:8887: this address and port are listened at already\n"
		"3: 'listen': 8880-8890: 8887 of route farm: this address and port are "
		"listened at already\n"
		"4: 'listen': x:8880-8890: x:8880 of route 8880: the address must be "
		"numeric, or * for every address\n" },
	{ UDP "}, { listen = \"127.0.0.1:53\"; protocol = \"udp\"; target = \"a:1\"; } "
	      ");",
		"2: 'listen': 127.0.0.1:53: this address and port are listened at "
		"already\n" },

	/* targets */
	{ "routes = ( { listen = 1; target = 5; },\n"
	  "{ listen = 2; target = \"nowhere\"; },\n"
	  "{ listen = 3; targets = ( \"a:1\",\n"
	  "7,\n"
	  "{ weight = 2; },\n"
	  "{ address = \"b:0\"; },\n"
	  "{ address = \"b:1\"; weight = 0; },\n"
	  "{ address = \"b:1\"; weight = 1001; port = 1; } ); },\n"
	  "{ listen = 4; targets = []; } );",
		"1: 'target': a string \"HOST:PORT\" is wanted, not an integer\n"
		"2: 'target': nowhere: a port must follow, as in HOST:PORT or "
		"[ADDRESS]:PORT\n"
		"4: 'targets': a string \"HOST:PORT\" is wanted, not an integer\n"
		"5: a target needs 'address'\n"
		"6: 'address': b:0: the port must be a number from 1 to 65535\n"
		"7: 'weight': not in the range 1 to 1000\n"
		"8: 'weight': not in the range 1 to 1000\n"
		"8: unknown key 'port'\n"
		"9: 'targets': at least one value is wanted\n" },
	{ "routes = ( { listen = \"9000-9010\"; targets = ( \"f:9000-9010\",\n"
	  "\"f:9000-9009\",\n"
	  "{ address = \"f:9000-9011\"; },\n"
	  "\"f:80\" ); },\n"
	  "{ listen = 80; target = \"f:80-81\"; },\n"
	  "{ listen = 81; target = \"f:81-80\"; } );",
		"2: 'targets': a range of 10 ports, and 'listen' has 11\n"
		"3: 'targets': a range of 12 ports, and 'listen' has 11\n"
		"5: 'target': a range of 2 ports, and 'listen' has 1\n"
		"6: 'target': f:81-80: a range of ports is wanted from 1 to 65535, the "
		"lower port first, as 8000-8999\n" },

	/* what UDP has not */
	{ UDP "on_failure = \"reset\";\n"
	      "proxy_protocol = 0;\n"
	      "probe = { };" ROUTE_END,
		"2: 'on_failure': not for a route of 'protocol' \"udp\"\n"
		"3: 'proxy_protocol': not for a route of 'protocol' \"udp\"\n"
		"4: 'probe': not for a route of 'protocol' \"udp\"\n" },

	/* the whole */
	{ ONE_ROUTE "hold_off: { first = 0.09;\n"
		    "most = 3601;\n"
		    "least = 1; };\n"
		    "timeouts: { parked = 0;\n"
		    "};\n",
		"2: 'first': not in the range 0.1 to 3600 (seconds)\n"
		"3: 'most': not in the range 0.1 to 3600 (seconds)\n"
		"4: unknown key 'least'\n"
		"5: 'parked': not in the range 0.1 to 86400 (seconds)\n" },
	{ ONE_ROUTE "hold_off: { first = 2.5; most = 2; };",
		"2: 'hold_off': 'most' (2 seconds) is less than 'first' (2.5)\n" },
	{ ONE_ROUTE "hold_off: { first = 61; };",
		"2: 'hold_off': 'most' (60 seconds) is less than 'first' (61)\n" },
	{ ONE_ROUTE "upstreams = ( { address = \"s:1\"; },\n"
		    "{ address = \"127.0.0.1:8887\"; name = \"me\"; } );",
		"3: upstream 'me' is one of the listening addresses of this daemon\n" },
	{ "routes = ( { listen = \"*:1080-1090\"; target = \"a:1\"; } );",
		"/x.conf: upstream '127.0.0.1:1081' is one of the listening addresses of "
		"this daemon\n" },
};

START_TEST(bad_file_gives_exactly_these_errors)
{
	refused(bad[_i].content, bad[_i].errors);
}
END_TEST

/* n addresses, as upstreams or as targets. */
static void
put_list(int n)
{
	for (int i = 1; i <= n; i++)
		put("{ address = \"s:%d\"; }%s", i, i < n ? ",\n" : "");
}

START_TEST(more_than_64_upstreams_or_targets_are_refused)
{
	for (int n = ROUTE_UPSTREAMS; n <= ROUTE_UPSTREAMS + 1; n++) {
		char text[sizeof(out)];

		begin();
		put("upstreams = (");
		put_list(n);
		put(");\nroutes = ( { listen = 1; targets = (");
		put_list(n);
		put("); } );\n");
		memcpy(text, out, sizeof(text));
		out_len = 0;
		read_conf(text);
		out[0] = '\0';
		put_errors();
		if (n == ROUTE_UPSTREAMS) {
			ck_assert_str_eq(out, "");
			ck_assert_int_eq(ppp.n_upstreams, n);
			ck_assert_int_eq(ppp.routes->n_upstreams, n);
			ck_assert_int_eq(ppp.routes->ports[0].n_targets, n);
		} else {
			ck_assert_str_eq(out,
				"1: 'upstreams': more than 64\n"
				"66: 'targets': more than 64 targets\n");
		}
		end();
	}
}
END_TEST

START_TEST(name_and_authority_of_256_bytes_are_refused)
{
	char name[256 + 1], text[2048];

	for (int len = 255; len <= 256; len++) {
		memset(name, 'x', sizeof(name));
		name[len] = '\0';
		snprintf(text, sizeof(text),
			UPSTREAM "proxy_protocol = true; username = \"%s\";\n"
				 "connect_as = \"%s\"; password_file = "
				 "\"DIR/secret\";" UPSTREAM_END,
			name, name);
		if (len == 256) {
			refused(text,
				"2: 'username': 1 to 255 bytes are wanted\n"
				"3: 'connect_as': longer than 255 bytes\n");
			continue;
		}
		begin();
		read_conf(text);
		ck_assert_uint_eq(conf_errors(conf), 0);
		ck_assert_int_eq(ppp.upstreams[0]->credentials.name_len, 255);
		ck_assert_str_eq(ppp.upstreams[0]->connect_as, name);
		end();
	}
}
END_TEST

START_TEST(host_of_a_range_may_be_as_long_as_any)
{
	char name[HOST_MAX + 2], text[1024];

	for (int len = HOST_MAX; len <= HOST_MAX + 1; len++) {
		memset(name, 'x', sizeof(name));
		name[len] = '\0';
		snprintf(text, sizeof(text),
			"routes = ( { listen = \"60000-60001\"; "
			"target = \"%s:60000-60001\"; } );",
			name);
		begin();
		read_conf(text);
		ck_assert_uint_eq(conf_errors(conf), len > HOST_MAX);
		if (len == HOST_MAX)
			ck_assert_str_eq(
				ppp.routes->ports[1].targets[0].address.host, name);
		end();
	}
}
END_TEST

START_TEST(the_largest_range_is_read)
{
	begin();
	read_conf(
		"routes = ( { listen = \"*:2000-6095\"; target = \"a:1001-5096\"; } );");
	put_errors();
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(ppp.routes->n_ports, 4096);
	ck_assert_uint_eq(ppp.places.n, 2 * 4096);
	ck_assert_ptr_eq(ppp.places.list[8191].via, &ppp.routes->ports[4095]);
	ck_assert_int_eq(ppp.routes->ports[4095].targets[0].address.port, 5096);
	end();
}
END_TEST

/* ---- what balance and health start with ---- */

static uint64_t
hash_of(const char *text)
{
	return balance_hash(text, strlen(text));
}

static void
expect_member(const struct member *member, int weight, const char *name)
{
	ck_assert_int_eq(member->weight, weight);
	ck_assert_uint_eq(member->hash, hash_of(name));
	ck_assert_uint_eq(member->active, 0);
	ck_assert_int_eq(member->credit, 0);
}

START_TEST(every_port_has_its_own_balance_and_health)
{
	static const struct health well;

	begin();
	read_conf("upstreams = ( { name = \"x\"; address = \"s:1\"; weight = 3; },\n"
		  "{ address = \"s:2\"; } );\n"
		  "routes = ( { listen = \"1-2\"; targets = ( \"[::1]:8-9\",\n"
		  "{ address = \"a:7\"; weight = 5; } ); } );");
	ck_assert_uint_eq(conf_errors(conf), 0);
	for (int i = 0; i < 2; i++) {
		const struct route_port *port = &ppp.routes->ports[i];

		ck_assert_ptr_eq(port->route, ppp.routes);
		expect_member(&port->upstream_members[0], 3, "x");
		expect_member(&port->upstream_members[1], 1, "s:2");
		expect_member(
			&port->target_members[0], 1, i == 0 ? "[::1]:8" : "[::1]:9");
		expect_member(&port->target_members[1], 5, "a:7");
		for (int t = 0; t < 2; t++)
			for (int u = 0; u < 2; u++)
				ck_assert_mem_eq(
					port->targets[t].seen[u], &well, sizeof(well));
	}
	end();
}
END_TEST

START_TEST(hold_off_and_parked_have_defaults_and_reach_every_route)
{
	begin();
	ck_assert_ptr_null(ppp_conf_option(&ppp, 'L', "1:a:1"));
	read_conf(ONE_ROUTE "hold_off: { first = 0.5; most = 0.5; };\n"
			    "timeouts: { parked = 86400; };");
	ck_assert_uint_eq(conf_errors(conf), 0);
	for (const struct route *route = ppp.routes; route; route = route->next) {
		ck_assert_int_eq(route->hold_off.first_ms, 500);
		ck_assert_int_eq(route->hold_off.most_ms, 500);
	}
	ck_assert_int_eq(ppp.parked_ms, 86400 * 1000);
	end();
	begin();
	read_conf(ONE_ROUTE);
	ck_assert_int_eq(ppp.routes->hold_off.first_ms, 1000);
	ck_assert_int_eq(ppp.routes->hold_off.most_ms, 60 * 1000);
	ck_assert_int_eq(ppp.parked_ms, 120 * 1000);
	end();
}
END_TEST

/* ---- options ---- */

static void
option(char letter, const char *arg)
{
	const char *why = ppp_conf_option(&ppp, letter, arg);

	ck_assert_msg(!why, "-%c %s: %s", letter, arg, why);
}

static void
option_refused(char letter, const char *arg, const char *expected)
{
	const char *why = ppp_conf_option(&ppp, letter, arg);

	ck_assert_msg(why != NULL, "-%c %s is taken", letter, arg);
	ck_assert_str_eq(why, expected);
}

/* The letter of an option that has only a long name. */
static char
letter_of(const char *name)
{
	const struct option_row *row = ppp_options;

	while (row->letter && (!row->name || strcmp(row->name, name) != 0))
		row++;
	ck_assert_int_ne(row->letter, 0);
	return row->letter;
}

START_TEST(routes_of_options_come_first_and_want_all_upstreams)
{
	begin();
	option('L', "8888:[2001:db8::1]:443");
	option('L', "[::1]:0:b:1");
	option('L', "*:8889:c:1");
	read_conf(ROUTE "upstreams = \"y\";" ROUTE_END
			"upstreams = ( { name = \"x\"; address = \"s:1\"; },\n"
			"{ name = \"y\"; address = \"s:2\"; } );");
	put_errors();
	put_routes();
	put_places("tcp", &ppp.places);
	ck_assert_str_eq(out,
		"route - tcp round-robin round-robin x,y\n"
		"  8888: [2001:db8::1]:443*1\n"
		"route - tcp round-robin round-robin x,y\n"
		"  0: b:1*1\n"
		"route - tcp round-robin round-robin x,y\n"
		"  8889: c:1*1\n"
		"route - tcp round-robin round-robin y\n"
		"  8887: a:1*1\n"
		"tcp 127.0.0.1:8888 8888\ntcp [::1]:8888 8888\n"
		"tcp [::1]:0 0\n"
		"tcp 0.0.0.0:8889 8889\ntcp [::]:8889 8889\n" PLACES_8887);
	end();
}
END_TEST

START_TEST(route_of_an_option_serves_without_a_file)
{
	begin();
	option('L', "8887:a:1");
	conf = ppp_conf_read(&ppp, NULL);
	ck_assert_uint_eq(conf_errors(conf), 0);
	put_upstreams();
	put_routes();
	put_places("tcp", &ppp.places);
	ck_assert_str_eq(out, BY_DEFAULT ROUTE_1);
	end();
	begin();
	conf = ppp_conf_read(&ppp, NULL);
	put_errors();
	ck_assert_str_eq(out, "there is no route: `routes' or -L is wanted\n");
	end();
}
END_TEST

START_TEST(routes_of_options_that_cannot_be_are_refused)
{
	begin();
	option('L', "127.0.0.1:8887:a:1");
	option_refused('L', "8887:a", "[ADDR:]PORT:HOST:HOSTPORT is wanted");
	option_refused('L', "8888:a:0", "the port must be a number from 1 to 65535");
	option_refused(
		'L', "*:8887:a:1", "this address and port are listened at already");
	option_refused(
		'L', "8000-8001:a:1", "a range of ports is possible in the file only");
	option_refused('L', "8888:a:1-2", "the port must be a number from 1 to 65535");
	end();
}
END_TEST

START_TEST(servers_replace_the_upstreams_of_the_file_that_are_checked_all_the_same)
{
	begin();
	option('s', "[::1]:1");
	option('s', "b:2");
	read_conf(
		ROUTE "upstreams = \"x\";" ROUTE_END
		      "upstreams = ( { name = \"x\"; address = \"127.0.0.1:8887\"; } );");
	put_errors();
	put_upstreams();
	put_routes();
	ck_assert_str_eq(out,
		"upstream [::1]:1 [::1]:1*1\nupstream b:2 b:2*1\n"
		"route - tcp round-robin round-robin [::1]:1,b:2\n"
		"  8887: a:1*1\n");
	end();
	begin();
	option('s', "x:1");
	read_conf(ROUTE "upstreams = \"x:1\";" ROUTE_END UPSTREAM "} );");
	put_errors();
	ck_assert_str_eq(out, "2: 'upstreams': there is no upstream 'x:1'\n");
	end();
	begin();
	option('s', "x:1");
	read_conf(UPSTREAM
		"username = \"x\"; password_file = \"DIR/readable\";" UPSTREAM_END);
	put_errors();
	ck_assert_str_eq(out,
		"2: 'password_file': /readable: group or others have access to it: its "
		"mode must be 0600 or 0400\n");
	end();
}
END_TEST

START_TEST(servers_that_cannot_be_are_refused)
{
	char text[16];

	begin();
	option_refused('s', "x", "a port must follow, as in HOST:PORT or [ADDRESS]:PORT");
	option('s', "127.0.0.1:8887");
	option_refused('s', "127.0.0.1:8887", "this upstream is there already");
	read_conf(ONE_ROUTE UPSTREAM "} );");
	put_errors();
	ck_assert_str_eq(out,
		"/x.conf: upstream '127.0.0.1:8887' is one of the listening addresses of "
		"this daemon\n");
	end();
	begin();
	for (int i = 1; i <= 64; i++) {
		snprintf(text, sizeof(text), "s:%d", i);
		option('s', text);
	}
	option_refused('s', "s:65", "there are 64 upstreams, the most that there can be");
	end();
}
END_TEST

START_TEST(explain_and_probe_are_noted_with_what_they_ask)
{
	char explain = letter_of("explain"), probe = letter_of("probe");

	begin();
	ck_assert_ptr_null(ppp.explain);
	ck_assert(!ppp.probe);
	option(explain, "8887 client=::1");
	ck_assert_str_eq(ppp.explain, "8887 client=::1");
	ck_assert(!ppp.probe);
	option(probe, NULL);
	ck_assert(ppp.probe);
	ck_assert_ptr_null(ppp.probe_port);
	option(probe, "8887");
	ck_assert_str_eq(ppp.probe_port, "8887");
	end();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("ppp_conf");
	TCase *t = tcase_create("ppp_conf");

	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(t, make_dir, remove_dir);
	tcase_add_loop_test(t, good_file_comes_to_what_is_expected, 0, COUNT(good));
	tcase_add_loop_test(t, bad_file_gives_exactly_these_errors, 0, COUNT(bad));
	tcase_add_test(t, more_than_64_upstreams_or_targets_are_refused);
	tcase_add_test(t, name_and_authority_of_256_bytes_are_refused);
	tcase_add_test(t, host_of_a_range_may_be_as_long_as_any);
	tcase_add_test(t, the_largest_range_is_read);
	tcase_add_test(t, every_port_has_its_own_balance_and_health);
	tcase_add_test(t, hold_off_and_parked_have_defaults_and_reach_every_route);
	tcase_add_test(t, routes_of_options_come_first_and_want_all_upstreams);
	tcase_add_test(t, route_of_an_option_serves_without_a_file);
	tcase_add_test(t, routes_of_options_that_cannot_be_are_refused);
	tcase_add_test(t,
		servers_replace_the_upstreams_of_the_file_that_are_checked_all_the_same);
	tcase_add_test(t, servers_that_cannot_be_are_refused);
	tcase_add_test(t, explain_and_probe_are_noted_with_what_they_ask);
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
