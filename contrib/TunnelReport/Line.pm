# SPDX-License-Identifier: ISC
#
# A line of a log: whether a tunnel ended there, when, and what its fields are. Keeps
# nothing but the dates that it has worked out.

package TunnelReport::Line;

use strict;
use warnings;
use Exporter;
use Time::Local qw(timegm);

our @ISA = qw(Exporter);
our @EXPORT_OK = qw(%FIELDS parse_line wall_clock);

# In the order of the line, which never changes. "more" is what follows them.
our %FIELDS = (
	'dcsd' => [qw(client user rule cmd target addr up down dns dial time end more)],
	'pppd-socks' => [qw(client route target upstream up down dial time end more)],
);

my %VALUE = (
	client => '([^ ]+):\d+',
	up => '(\d{1,18})',
	down => '(\d{1,18})',
	dns => '(-|\d{1,12}\.\d{1,9})',
	dial => '(-|\d{1,12}\.\d{1,9})',
	time => '(\d{1,12}\.\d{1,9})',
	end => '([a-z-]+)',
);
my %FORM;
for my $daemon (keys %FIELDS) {
	my @fields = grep { $_ ne 'more' } @{$FIELDS{$daemon}};
	my $form = join ' ', map { "$_=" . ($VALUE{$_} || '([^ ]+)') } @fields;
	$FORM{$daemon} = qr/^[^ ]+ $form(?: (.*))?$/;
}

# What stands in front of "tunnel id=": a date, here without its seconds, a host, and our
# name; under systemd the name twice; in RFC 5424 the name without brackets.
my $MINUTE = qr/[A-Z][a-z][a-z]\ [ \d]\d\ \d\d:\d\d|\d{4}-\d\d-\d\d[T _]\d\d:\d\d/;
my $ZONE = qr/Z|[-+]\d\d:?\d\d/;
my $NAME = qr/dcsd|pppd-socks/;
my $HEAD = qr/^(?:<\d+>)?(?:1\ )?(?:($MINUTE)($ZONE)?\ )?
	(?:[^\s\[]*[^\s\[:]\ )?(?:(?:$NAME)(?:\[\d+\])?:\ )?
	($NAME)(?:(?:\[\d+\])?:\ |
		\ \S+\ \S+\ (?:-|(?:\[[^\]]*\])+)\ (?:\xef\xbb\xbf)?)$/x;

my $month = 0;
my %MONTH = map { $_ => $month++ } qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);

# Dates are seconds of the wall clock, as if that were UTC: it is all that the dates of
# syslog tell, and what a plot is to show. Nothing if there is no such day.
sub day_time {
	my ($year, $month, $day, $hour, $min) = @_;

	return scalar eval { timegm(0, $min, $hour, $day, $month, $year) };
}

sub wall_clock {
	my @local = localtime shift;

	return day_time($local[5] + 1900, @local[4, 3, 2, 1]);
}

# A date without a year is the last such day before the file was written, with a day more
# for clocks that differ: so a log may go over the turn of the year.
sub classic_minute {
	my ($text, $written) = @_;
	my ($month, $day, $hour, $min) = $text =~ /^(...) (..) (..):(..)$/;
	my $year = (gmtime $written)[5] + 1900;

	return unless exists $MONTH{$month};
	for (0 .. 8) { # that far for a 29th of February
		my $at = day_time($year - $_, $MONTH{$month}, $day, $hour, $min);
		return $at if defined $at && $at <= $written + 86400;
	}
	return;
}

# One with a zone becomes local time, which the logs of several hosts have in common.
sub iso_minute {
	my ($text, $zone) = @_;
	my ($year, $month, $day, $hour, $min) = split /[-T _:]/, $text;
	my $at = day_time($year, $month - 1, $day, $hour, $min);

	return $at if !defined $at || $zone eq '';
	if (my ($sign, $hours, $mins) = $zone =~ /^([-+])(..):?(..)/) {
		$at -= "${sign}1" * ($hours * 60 + $mins) * 60;
	}
	return wall_clock($at);
}

# The daemon and the minute of a line, by what stands in front of "tunnel id=" without the
# seconds, which many lines have in common.
my %heads;
my $heads_written = '';

sub new_head {
	my ($head, $written) = @_;
	my ($text, $zone, $name) = $head =~ $HEAD;
	my $minute;

	%heads = () if $heads_written ne $written || keys %heads >= 1_000;
	$heads_written = $written;
	$minute = $text =~ /^\d/ ? iso_minute($text, defined $zone ? $zone : '')
		: classic_minute($text, $written) if defined $text;
	return $heads{$head} = [$name, $minute];
}

# Whether it looks like a line of ours that tells an end.
sub is_bad {
	my ($line, $head) = @_;

	return $head =~ /(?:$NAME)\[\d+\]: $/
		&& $line !~ / start$| failed(?: rep=|$)| turned away addr=/;
}

# written: when the file was, on the wall clock. Returns nothing if no tunnel has ended
# here; '' if one has, but the line is damaged; else the daemon's name, an array of the
# values of its fields, and the minute, which is undef where there is no good date.
sub parse_line {
	my ($line, $written) = @_;
	my $at = index $line, 'tunnel id=';

	return if $at < 0;
	my $head = substr $line, 0, $at;
	$head =~ s/:\d\d(?:[.,]\d+)?(?=[-+Z ])//;
	my $known = $heads_written eq $written && $heads{$head}
		|| new_head($head, $written);
	my ($name, $minute) = @$known;
	my @values = defined $name ? substr($line, $at + 10) =~ $FORM{$name} : ();
	return ($name, \@values, $minute) if @values;
	return is_bad($line, $head) ? '' : ();
}

1;
