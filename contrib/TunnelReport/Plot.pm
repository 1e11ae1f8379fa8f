# SPDX-License-Identifier: ISC
#
# Plots as SVG. The text in them is as large as other text, however wide the window is:
# what is stretched has its places in percent, and heights are in pixels.

package TunnelReport::Plot;

use strict;
use warnings;
use Exporter;
use POSIX qw(ceil floor);
use TunnelReport::Counts qw(columns shares);
use TunnelReport::Text qw(text short seconds span_text date_text);

our @ISA = qw(Exporter);
our @EXPORT_OK = qw(bar legend time_plot times_plot);

my $ABOVE = 8;
my $HIGH = 160; # the plot itself
my $BELOW = 22;
my ($MIN_COLUMNS, $MAX_COLUMNS) = (12, 120);
my $TICKS = 6; # at most, below
my $YEAR_S = 365.25 * 86400;

# ([class, what it means]...)
sub legend {
	return '<p class="legend">' . join(' ', map {
		"<span><i class=\"$_->[0]\"></i>" . text($_->[1]) . '</span>' } @_)
		. '</p>';
}

# Parts of a whole, one behind the other: ([class, how much]...).
sub bar {
	my ($whole, @parts) = @_;
	my ($x, $rects) = (0, '');

	return '' unless $whole;
	for (@parts) {
		my ($class, $width) = ($_->[0], 100 * $_->[1] / $whole);
		$rects .= sprintf '<rect class="%s" x="%.2f%%" width="%.2f%%"'
			. ' height="6"/>', $class, $x, $width if $width > 0;
		$x += $width;
	}
	return '<svg class="bar" width="100%" height="6" aria-hidden="true">'
		. "$rects</svg>";
}

sub svg {
	my ($class, $label, @inside) = @_;

	return sprintf '<svg class="%s" width="100%%" height="%d" role="img"'
		. " aria-label=\"%s\">%s</svg>\n", $class, $ABOVE + $HIGH + $BELOW,
		text($label), join '', @inside;
}

# ([height from 0 to 1, text]...): the texts, and the lines at their heights.
sub left_axis {
	my ($texts, $lines) = ('', '');

	for (@_) {
		my $y = $ABOVE + $HIGH * (1 - $_->[0]);
		$texts .= sprintf '<text x="100%%" y="%.1f" dy=".35em">%s</text>', $y,
			text($_->[1]);
		$lines .= sprintf '<line x1="0" x2="100%%" y1="%.1f" y2="%.1f"/>', $y, $y;
	}
	return ($texts, "<g class=\"grid\">$lines</g>");
}

# ([place from 0 to 1, text]...)
sub below_axis {
	my $y = $ABOVE + $HIGH;
	my $out = '';

	for (@_) {
		my $x = sprintf '%.2f%%', 100 * $_->[0];
		my $anchor = $_->[0] < 0.06 ? 'start' : $_->[0] > 0.94 ? 'end' : 'middle';
		$out .= sprintf '<line class="tick" x1="%s" x2="%s" y1="%d" y2="%d"/>'
			. '<text x="%s" y="%d" text-anchor="%s">%s</text>',
			$x, $x, $y, $y + 4, $x, $y + 18, $anchor, text($_->[1]);
	}
	return $out;
}

# A card with title, note, legend, the ticks of both axes (left, below), and what is drawn
# (inside).
sub card {
	my (%plot) = @_;
	my ($texts, $lines) = left_axis(@{$plot{left}});

	return '<figure><h3>' . text($plot{title}) . '</h3>' . legend(@{$plot{legend}})
		. '<div class="plot">' . svg('left', 'scale', $texts)
		. svg('area', $plot{title}, $lines, $plot{inside},
			below_axis(@{$plot{below}}))
		. '</div><figcaption>' . text($plot{note}) . '</figcaption>'
		. ($plot{more} || '') . "</figure>\n";
}

# Round whole numbers from 0 to above the largest: (the last, ticks...).
sub scale {
	my ($most, $unit) = @_;
	my $step = 10 ** floor(log($most / 4) / log 10);
	my ($factor) = grep { $step * $_ * 4 >= $most } 1, 2, 2.5, 5, 10;

	$step *= $factor;
	$step = ceil($step) if $step < 10;
	my $n = ceil($most / $step);
	return ($n * $step, map { [$_ / $n, $unit->($_ * $step)] } 0 .. $n);
}

# A step between ticks on the axis of time; minutes, hours and days have their own.
sub time_step {
	my ($length_s) = @_;
	my @steps = ((map { 60 * $_ } 1, 2, 5, 10, 20, 30),
		(map { 3600 * $_ } 1, 2, 3, 4, 6, 12),
		map { 86400 * $_ } 1, 2, 3, 7, 14, 28, 56, 112);
	my ($step) = grep { $length_s / $_ < $TICKS } @steps;

	return $step || $YEAR_S * ceil($length_s / $YEAR_S / $TICKS);
}

sub time_ticks {
	my ($from, $length_s) = @_;
	my $step = time_step($length_s);
	my $days = $step < $YEAR_S ? '%d %b' : '%Y';
	my ($first, $last) = (ceil($from / $step), ceil(($from + $length_s) / $step) - 1);
	my @ticks;

	for my $at (map { $_ * $step } $first .. $last) {
		# Years of 365.25 days begin up to 18 hours early.
		my $shown = $step < $YEAR_S ? $at : $at + 86400;
		push @ticks, [($at - $from) / $length_s,
			date_text($shown, $step < 86400 && $at % 86400
				? '%H:%M' : $days)];
	}
	return @ticks;
}

# Its parts stand on one another: ([place in the span, class, word]...).
sub column {
	my ($x, $width, $span, $top, $unit, $says, $parts) = @_;
	my $y = $ABOVE + $HIGH;
	my $rects = '';

	for (@$parts) {
		my ($place, $class, $word) = @$_;
		my $n = $span->[$place] or next;
		my $high = $HIGH * $n / $top;
		$y -= $high;
		$says .= "\n$word: " . $unit->($n);
		$rects .= sprintf '<rect class="%s" x="%.3f%%" width="%.3f%%" y="%.2f"'
			. ' height="%.2f"/>', $class, $x, $width, $y, $high;
	}
	return $rects ? '<g><title>' . text($says) . "</title>$rects</g>" : '';
}

sub largest {
	my ($parts, @spans) = @_;
	my $largest = 1;

	for my $span (@spans) {
		my $sum = 0;
		$sum += $span->[$_->[0]] for @$parts;
		$largest = $sum if $sum > $largest;
	}
	return $largest;
}

# unit, axis: what makes text of a number in a column, and on the axis.
sub time_plot {
	my ($counts, $title, $unit, $axis, @parts) = @_;
	my ($from, @spans) = columns($counts, $MAX_COLUMNS);
	my $span_s = $counts->{span_s};
	my ($top, @left) = scale(largest(\@parts, @spans), $axis);

	push @spans, [0, 0, 0, 0, 0] while @spans < $MIN_COLUMNS;
	my $width = 100 / @spans;
	return card(
		title => $title,
		note => 'One column is ' . span_text($span_s)
			. '. A tunnel counts when it ends.',
		legend => [map { [@$_[1, 2]] } @parts],
		left => \@left,
		below => [time_ticks($from, $span_s * @spans)],
		inside => join('', map { column(($_ + 0.08) * $width, 0.84 * $width,
			$spans[$_], $top, $unit,
			date_text($from + $_ * $span_s, '%a %d %b %Y %H:%M'), \@parts)
			} 0 .. $#spans));
}

# The share that took at most so long, over the decades from 1 ms.
sub curve {
	my ($class, $decades, @shares) = @_;

	return '' unless @shares;
	my @points = map {
		[$_->[0] > 1 ? log($_->[0]) / log(10) / $decades : 0, $_->[1]]
	} @shares, [10 ** $decades, 1];
	return "<polyline class=\"$class\" points=\"" . join(' ', map {
		sprintf '%.1f,%.1f', 1000 * $_->[0], 100 - 100 * $_->[1] } @points)
		. '"/>';
}

sub decade_ticks {
	my ($decades) = @_;
	my $every = ceil($decades / ($TICKS - 1));

	return map { [$_ / $decades,
		$_ < 3 ? 10 ** $_ . ' ms' : short(10 ** ($_ - 3)) . ' s']
	} grep { $_ % $every == 0 } 0 .. $decades;
}

# times: ([class, word, counted times]...). more: HTML below.
sub times_plot {
	my ($title, $note, $more, @times) = @_;
	my ($longest) = sort { $b <=> $a } 0.1, map { $_->[2]{longest} } @times;
	my $decades = ceil(log($longest * 1000) / log 10);

	return card(
		title => $title,
		note => $note,
		legend => [map { [@$_[0, 1]] } @times],
		left => [map { [$_ / 4, 25 * $_ . ' %'] } 0 .. 4],
		below => [decade_ticks($decades)],
		inside => "<svg y=\"$ABOVE\" width=\"100%\" height=\"$HIGH\""
			. ' viewBox="0 0 1000 100" preserveAspectRatio="none">'
			. join('', map { curve($_->[0], $decades, shares($_->[2])) }
				reverse @times)
			. '</svg>',
		more => $more);
}

1;
