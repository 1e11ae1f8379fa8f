#!/usr/bin/perl
# SPDX-License-Identifier: ISC
#
# dns.pl TABLE [ADDRESS]: a name server for tests, on UDP port 53 of a network of their
# own. A line of the table is a name and what is answered: addresses, in the order in
# which they are sent; an error code of RFC 1035; or "drop", which is nothing. A name that
# is not in it does not exist.

use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton inet_ntoa);

my ($table, $at) = @ARGV;
my %answer;

open(my $in, '<', $table) or die "$table: $!\n";
while (<$in>) {
	my ($name, @words) = split or next;
	$answer{lc $name} = \@words unless $name =~ /^#/;
}

socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "socket: $!\n";
bind($socket, pack_sockaddr_in(53, inet_aton($at // '127.0.0.1'))) or die "bind: $!\n";
$| = 1;
print "ready\n";

# The records of that type (1: A, 28: AAAA) among some addresses.
sub records {
	my ($type, @addresses) = @_;
	my @records;

	for (@addresses) {
		my $is = /:/ ? 28 : 1;
		my $bytes = inet_pton($is == 28 ? AF_INET6 : AF_INET, $_) // die "$_?\n";

		push @records, pack('n n n N n/a*', 0xc00c, $type, 1, 0, $bytes)
			if $is == $type;
	}
	return @records;
}

while (defined(my $from = recv($socket, my $query, 512, 0))) {
	my ($id, $flags, @label) = unpack('n n x8', $query);
	my $end = 12;

	while (my $size = ord substr($query, $end, 1)) {
		push @label, substr($query, $end + 1, $size);
		$end += $size + 1;
	}
	my $type = unpack('n', substr($query, $end + 1, 2));
	my $what = $answer{lc join '.', @label} // [3];
	my ($code, @records) = (0);

	next if "@$what" eq 'drop';
	if ("@$what" =~ /^\d+$/) {
		$code = $what->[0];
	} else {
		@records = records($type, @$what);
	}
	send($socket, pack('n6', $id, 0x8180 | $code, 1, scalar @records, 0, 0)
		. substr($query, 12, $end + 5 - 12) . join('', @records), 0, $from);
}
