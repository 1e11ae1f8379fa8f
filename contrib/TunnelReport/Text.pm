# SPDX-License-Identifier: ISC
#
# Numbers and names as they are to be read, in HTML.

package TunnelReport::Text;

use strict;
use warnings;
use Exporter;
use POSIX qw(strftime);

our @ISA = qw(Exporter);
our @EXPORT_OK = qw(text name_text number bytes short seconds percent span_text
	date_text);

# Whatever was in a log is text, and nothing else, in the page.
sub text {
	my ($text) = @_;

	$text =~ s/([^ -~\n])/sprintf '\\x%02x', ord $1/ge;
	$text =~ s/([&<>"'])/'&#' . ord($1) . ';'/ge;
	return $text;
}

# A long one can be seen whole when one points at it.
sub name_text {
	my ($name) = @_;

	return text($name) if length $name <= 60;
	return sprintf '<span title="%s">%s...</span>', text($name),
		text(substr $name, 0, 57);
}

# 1234567 is 1,234,567.
sub number {
	my ($n) = @_;

	1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
	return $n;
}

# Three digits tell enough.
sub digits {
	my ($n) = @_;

	return $n >= 100 ? sprintf '%.0f', $n : sprintf '%.3g', $n;
}

sub bytes {
	my ($n) = @_;
	my @units = qw(B kB MB GB TB PB EB);

	while ($n >= 999.5 && @units > 1) {
		$n /= 1000;
		shift @units;
	}
	return digits($n) . " $units[0]";
}

# A number on an axis: 1200 is 1.2k.
sub short {
	my ($n) = @_;
	my $text = bytes($n);

	$text =~ s/ (\w?)B$/$1/;
	return $text;
}

sub seconds {
	my ($s) = @_;

	return '-' unless defined $s;
	return digits($s * 1000) . ' ms' if $s < 0.9995;
	return digits($s) . ' s' if $s < 120;
	return digits($s / 60) . ' min' if $s < 7200;
	return digits($s / 3600) . ' h' if $s < 2 * 86400;
	return digits($s / 86400) . ' d';
}

sub percent {
	my ($part, $whole) = @_;

	return $whole ? sprintf '%.1f %%', 100 * $part / $whole : '-';
}

# "3 hours": of one that columns may have.
sub span_text {
	my ($s) = @_;

	for ([86400, 'day'], [3600, 'hour'], [60, 'minute']) {
		my ($unit, $word) = @$_;
		next if $s % $unit;
		return $s == $unit ? "one $word" : $s / $unit . " ${word}s";
	}
}

# at: on the wall clock.
sub date_text {
	my ($at, $form) = @_;

	return strftime($form, gmtime $at);
}

1;
