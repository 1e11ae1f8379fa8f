#!/usr/bin/perl
# SPDX-License-Identifier: ISC
#
# A client of the daemons for the script tests that need more than a greeting:
#
#   socks.pl ask AT TARGET         asks dcsd for a tunnel; prints rep=N ms=N
#   socks.pl hold AT TARGET N PORT opens N tunnels, from port PORT on when it is not 0;
#                                  prints rep=N for each, then "held", and keeps them;
#                                  when it is killed they are reset
#   socks.pl talk AT TARGET [NAME PASSWORD]
#                                  asks for a tunnel to an echo, prints rep=N, and what it
#                                  gets back: "echo" for each USR1, "end" when it is over;
#                                  or "no service": it did not get as far as a reply
#   socks.pl park AT TARGET [NAME PASSWORD]
#                                  the same, but prints "parked" and waits for a USR1
#                                  before it asks for the tunnel
#   socks.pl echo                  prints its port of 127.0.0.1, and is an echo there
#   socks.pl wait AT TARGET N      sends N requests and waits for no reply; "held"
#   socks.pl plain AT TARGET       asks a route of pppd-socks for a GET; prints the first
#                                  line of the answer, or "end" or the error
#   socks.pl pass AT TARGET N FILE serves TARGET itself, as an echo, and sends N bytes
#                                  there through a route of pppd-socks; with FILE, makes
#                                  it when a quarter is back, and sends the rest when
#                                  there is FILE.go; prints "same" and the ms
#
# AT and TARGET are ADDRESS:PORT or [ADDRESS]:PORT, and TARGET may be NAME:PORT.

use strict;
use warnings;
use Digest::MD5 qw(md5);
use Socket qw(:all);
use Time::HiRes qw(time);

my ($do, $at, $target, $n, $more) = @ARGV;

$SIG{PIPE} = 'IGNORE';
$| = 1;
alarm 120; # longer than a test is patient

sub halves {
	my ($host, $port) = $_[0] =~ /^\[?(.*?)\]?:(\d+)$/ or die "$_[0]: no address\n";
	return ($host, $port);
}

# The socket address of ADDRESS:PORT, and its family.
sub address {
	my ($host, $port) = halves($_[0]);

	return (pack_sockaddr_in6($port, inet_pton(AF_INET6, $host)), AF_INET6)
		if $host =~ /:/;
	return (pack_sockaddr_in($port, inet_pton(AF_INET, $host)), AF_INET);
}

sub dial {
	my ($to, $local_port) = @_;
	my ($address, $family) = address($to);

	socket(my $s, $family, SOCK_STREAM, 0) or die "socket: $!\n";
	setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1);
	if ($local_port) {
		setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
		bind($s, pack_sockaddr_in($local_port, INADDR_LOOPBACK))
			or die "bind: $!\n";
	}
	connect($s, $address) or die "connect to $to: $!\n";
	return $s;
}

sub request {
	my ($host, $port) = halves($_[0]);
	my $v4 = inet_pton(AF_INET, $host);
	my $v6 = inet_pton(AF_INET6, $host);

	return "\5\1\0" . (defined $v4 ? "\1$v4" : defined $v6 ? "\4$v6"
			: pack('C C/a*', 3, $host)) . pack('n', $port);
}

# Reads so many bytes. Returns fewer at the end.
sub take {
	my ($s, $size) = @_;
	my $got = '';

	while (length $got < $size) {
		sysread($s, $got, $size - length $got, length $got) or last;
	}
	return $got;
}

# The name and password. Whether they are right.
sub authenticate {
	my ($s, $name, $password) = @_;

	syswrite($s, "\5\1\2");
	return take($s, 2) eq "\5\2" &&
		syswrite($s, pack('C C/a* C/a*', 1, $name, $password)) &&
		take($s, 2) eq "\1\0";
}

# The method none. Whether it is taken.
sub greet {
	my ($s) = @_;

	syswrite($s, "\5\1\0");
	return take($s, 2) eq "\5\0";
}

# The handshake up to the request.
sub ask {
	my $s = dial($at, $_[0]);

	greet($s) or die "no method\n";
	syswrite($s, request($target));
	return $s;
}

# The reply; a failure must be well formed, and the end behind it.
sub reply {
	my ($s) = @_;
	my $reply = take($s, 4);

	length $reply == 4 or die "no reply\n";
	my ($version, $rep, $reserved, $atyp) = unpack('C4', $reply);
	my $bnd = take($s, $atyp == 4 ? 18 : 6);
	die "not a SOCKS5 reply\n" if $version != 5 || $reserved != 0;
	if ($rep != 0) {
		die "a failure with a BND\n" if $atyp != 1 || $bnd ne "\0" x 6;
		my $end = sysread($s, my $byte, 1);
		die "no end behind the failure\n" if !defined $end || $end != 0;
	}
	return $rep;
}

sub hold {
	my @held;

	for my $i (0 .. $n - 1) {
		my $s = ask($more ? $more + $i : 0);

		setsockopt($s, SOL_SOCKET, SO_LINGER, pack('i2', 1, 0));
		print 'rep=', reply($s), "\n" if $do eq 'hold';
		push @held, $s;
	}
	print "held\n";
	sleep 600;
}

sub plain {
	my $s = dial($at);
	my ($got, $answer);

	# A reset is told once, to whoever comes first.
	$got = sysread($s, $answer, 4096) if syswrite($s, "GET / HTTP/1.0\r\n\r\n");
	print !defined $got ? "$!\n" : $got == 0 ? "end\n"
		: $answer =~ /^([^\r\n]*)/ ? "$1\n" : "?\n";
}

# Runs something in a process of its own.
sub aside {
	my ($what) = @_;
	my $pid = fork // die "fork: $!\n";

	return $pid if $pid;
	alarm 120;
	$what->();
	exit 0;
}

sub put {
	my ($s, $bytes) = @_;

	for (my $sent = 0; $sent < length $bytes;) {
		$sent += syswrite($s, $bytes, 65536, $sent) // die "send: $!\n";
	}
}

sub echo {
	my ($listener) = @_;

	accept(my $s, $listener) or die "accept: $!\n";
	while (sysread($s, my $bytes, 65536)) {
		put($s, $bytes);
	}
	shutdown($s, 1);
}

sub pass {
	my ($address, $family) = address($target);
	my $all = join '', map { md5($_) } 1 .. $n / 16;
	my ($start, $back) = (time, '');

	socket(my $listener, $family, SOCK_STREAM, 0) or die "socket: $!\n";
	setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
	bind($listener, $address) && listen($listener, 1) or die "listen: $!\n";
	my $echo = aside(sub { echo($listener) });
	my $s = dial($at);
	my $writer = aside(sub {
		put($s, substr($all, 0, $n / 4));
		select(undef, undef, undef, 0.02) while $more && !-e "$more.go";
		put($s, substr($all, $n / 4));
		shutdown($s, 1);
	});
	while (sysread($s, $back, 65536, length $back)) {
		open(my $file, '>', $more) if $more && length $back == $n / 4;
	}
	print $back eq $all ? 'same' : 'other bytes: ' . length $back,
		' ms=', int(1000 * (time - $start)), "\n";
	kill 'KILL', $echo, $writer; # if it went wrong they wait for ever
}

# One tunnel that says whether it lives when it is asked to.
sub talk {
	my $s = dial($at);
	my ($go, $rep) = ($do eq 'talk', undef);

	eval {
		(defined $n ? authenticate($s, $n, $more) : greet($s)) or die "refused\n";
		local $SIG{USR1} = sub { $go = 1 };
		print "parked\n" if !$go;
		sleep 1 until $go;
		syswrite($s, request($target));
		$rep = reply($s);
	};
	print defined $rep ? "rep=$rep\n" : "no service\n";
	return if !defined $rep || $rep;
	$SIG{USR1} = sub { syswrite($s, '.') };
	for (;;) {
		my $got = sysread($s, my $bytes, 4096);

		next if !defined $got && $!{EINTR};
		last if !$got;
		print "echo\n";
	}
	print "end\n";
}

sub serve_echo {
	socket(my $listener, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
	bind($listener, pack_sockaddr_in(0, INADDR_LOOPBACK)) && listen($listener, 50)
		or die "listen: $!\n";
	print '' . (unpack_sockaddr_in(getsockname($listener)))[0], "\n";
	$SIG{CHLD} = 'IGNORE';
	for (;;) {
		accept(my $s, $listener) or next;
		aside(sub { while (sysread($s, my $bytes, 4096)) { put($s, $bytes); } });
	}
}

my $start = time;
if ($do eq 'ask') {
	my $rep = reply(ask());

	print "rep=$rep ms=", int(1000 * (time - $start)), "\n";
} elsif ($do eq 'hold' || $do eq 'wait') {
	hold();
} elsif ($do eq 'plain') {
	plain();
} elsif ($do eq 'talk' || $do eq 'park') {
	talk();
} elsif ($do eq 'echo') {
	serve_echo();
} elsif ($do eq 'pass') {
	pass();
} else {
	die "$do: unknown\n";
}
