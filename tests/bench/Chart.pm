# SPDX-License-Identifier: ISC
#
# The chart of what was found, as SVG: bars, in two columns of panels.

package Chart;

use strict;
use warnings;
use Exporter;
use Found;

our @ISA = qw(Exporter);
our @EXPORT = qw(chart);

my $BAR = 14;	 # high, and 4 between
my $WIDE = 430;	 # a panel
my $NAMES = 118; # of that, for the names
my $VALUES = 60; # and for the values

sub colour {
	my ($who) = @_;

	return $who eq 'direct' ? '#9a9a9a' : $who =~ /^one-hop/ ? '#1f5fa6' :
		$who =~ /^two-tier/ ? '#6aa3d9' : '#cf9a4a';
}

sub escaped {
	my ($text) = @_;
	my %names = ('<' => '&lt;', '>' => '&gt;', '&' => '&amp;');

	$text =~ s/([<>&])/$names{$1}/g;
	return $text;
}

sub text_at {
	my ($x, $y, $text, $more) = @_;

	return sprintf "<text x=\"%.0f\" y=\"%.0f\"%s>%s</text>\n", $x, $y, $more || '',
		escaped($text);
}

# One bar for each contender that has a value. Returns the panel, and how high it is.
sub panel {
	my ($x, $top, $title, $digits, @what) = @_;
	my @known = grep { defined mean($_, @what) } contenders();
	my $most = worst(1, map { mean($_, @what) } @known) || 1;
	my ($y, $out) = ($top + 12, text_at($x, $top, $title, ' font-weight="bold"'));

	for my $who (@known) {
		my $value = mean($who, @what);
		my $wide = ($WIDE - $NAMES - $VALUES) * ($value > 0 ? $value : 0) / $most;
		$out .= text_at($x + $NAMES - 6, $y + 11, $who, ' text-anchor="end"')
			. sprintf(qq{<rect x="%d" y="%d" width="%.1f" height="%d"}
				. qq{ fill="%s"/>\n}, $x + $NAMES, $y, $wide, $BAR,
				colour($who))
			. text_at($x + $NAMES + $wide + 5, $y + 11,
				number($value, $digits));
		$y += $BAR + 4;
	}
	return @known ? ($out, $y - $top + 26) : ('', 0);
}

sub mean {
	my ($who, @what) = @_;
	my @values = grep { defined } map { /^step_(\d+)_(\d+)$/ ? step_kb($who, $1, $2) :
		found($who, $_) } @what;

	return undef unless @values;
	my $sum = 0;
	$sum += $_ for @values;
	return $sum / @values;
}

sub panels {
	my @levels = levels();
	my $from = $levels[@levels > 2 ? 1 : 0];

	return (
		['Bulk, 1 stream, MB/s', 0, 'up1.mb_per_s', 'down1.mb_per_s'],
		['Bulk, 16 streams, MB/s', 0, 'up16.mb_per_s', 'down16.mb_per_s'],
		['Bulk, 1 stream, CPU s/GB', 2, 'up1.cpu_s_per_gb', 'down1.cpu_s_per_gb'],
		['Bulk, 16 streams, CPU s/GB', 2, 'up16.cpu_s_per_gb',
			'down16.cpu_s_per_gb'],
		['New connections a second', 0, 'connect.per_s'],
		['CPU us per connection', 0, 'connect.cpu_us'],
		['Round trip of 64 bytes, us, median', 1, 'roundtrip.median_us'],
		['Round trip of 64 bytes, us, 99 %', 1, 'roundtrip.p99_us'],
		@levels > 1 ? ["kB of the system for one more idle tunnel", 1,
			"step_${from}_$levels[-1]"] : (),
		['Datagrams a second, there and back', 0, 'udp.per_s']);
}

sub head {
	my ($wide, $high) = @_;

	return qq{<svg xmlns="http://www.w3.org/2000/svg" width="$wide" height="$high"}
		. qq{ viewBox="0 0 $wide $high"}
		. qq{ font-family="sans-serif" font-size="12">\n}
		. qq{<rect width="100%" height="100%" fill="#fff"/>\n}
		. text_at(20, 22, about('machine'), ' font-weight="bold"')
		. text_at(20, 38, join '', about('command'), ', ', about('when'),
			', medians of ', about('rounds'), ' rounds; bulk: mean of both',
			' directions');
}

sub chart {
	my @panels = panels();
	my ($y, $out) = (62, '');

	for (my $i = 0; $i < @panels; $i += 2) {
		my ($left, $its) = panel(20, $y, @{ $panels[$i] });
		my ($right, $others) = $i < $#panels
			? panel(40 + $WIDE, $y, @{ $panels[$i + 1] }) : ('', 0);
		$out .= $left . $right;
		$y += $its > $others ? $its : $others;
	}
	return head(2 * $WIDE + 60, $y) . "$out</svg>\n";
}

1;
