# SPDX-License-Identifier: ISC
#
# The page: for each daemon its plots and tables, and how it all looks. Nothing in it
# comes from elsewhere, and its policy forbids scripts.

package TunnelReport::Page;

use strict;
use warnings;
use Exporter;
use POSIX qw(strftime);
use TunnelReport::Counts qw(end_class sum count_of quantile top);
use TunnelReport::Plot qw(bar legend time_plot times_plot);
use TunnelReport::Text qw(text name_text number bytes short seconds percent date_text);

our @ISA = qw(Exporter);
our @EXPORT_OK = qw(page);

my @CLASSES = qw(well cut unserved); # by end_class
my %TIMES = (
	'dcsd' => [['dns', 'looking up the name'], ['dial', 'connecting'],
		['time', 'whole time']],
	'pppd-socks' => [['dial', 'connecting'], ['time', 'whole time']],
);

# Pairs of about the same height.
my %TABLES = (
	'dcsd' => [\&errors, by('rule'), by('user'), by('target'), by('client'),
		\&unserved, by('cmd', 'command')],
	'pppd-socks' => [\&errors, by('upstream'), by('route'), by('target'),
		by('client'), \&unserved],
);

sub tile {
	my ($name, $value) = @_;

	return "<div>$name<b>$value</b></div>";
}

sub tiles {
	my ($counts) = @_;
	my ($n, $unserved, $up, $down) = @{sum($counts)};
	my $time = $counts->{time};

	return '<div class="tiles">' . tile('Tunnels', number($n))
		. tile('Not served', number($unserved)
			. ' <small>' . percent($unserved, $n) . '</small>')
		. tile('Bytes up', bytes($up)) . tile('Bytes down', bytes($down))
		. tile('Connecting, median', seconds(quantile($time->{dial}, 0.5)))
		. tile('Whole time, median', seconds(quantile($time->{time}, 0.5)))
		. "</div>\n";
}

# Cells of HTML, the first of which names the row.
sub row {
	my ($name, @cells) = @_;

	return "<tr><th scope=\"row\">$name</th>" . join('', map { "<td>$_</td>" } @cells)
		. "</tr>\n";
}

sub table {
	my ($head, @rows) = @_;

	return '<table><tr>' . join('', map { "<th scope=\"col\">$_</th>" } @$head)
		. "</tr>\n" . join('', @rows) . '</table>';
}

sub times_card {
	my ($counts, $times) = @_;
	my @rows;

	for (@$times) {
		my ($kind, $word) = @$_;
		my $time = $counts->{time}{$kind};
		push @rows, row($word,
			(map { seconds(quantile($time, $_)) } 0.5, 0.9, 0.99),
			@{$time->{classes}} ? seconds($time->{longest}) : '-');
	}
	return times_plot('How long it took',
		'The share of those served that took at most so long. Precise to 5 %.',
		table(['', '50 %', '90 %', '99 %', 'longest'], @rows),
		map { [@$_, $counts->{time}{$_->[0]}] } @$times);
}

# The first of a kind, and what the sum has beside them: ([HTML, row, name]...).
sub top_and_others {
	my ($key, $what, $n, $sum) = @_;
	my ($others, @top) = top($key, $what, $n);
	my @rest = @$sum;

	for my $top (@top) {
		$rest[$_] -= $top->[1][$_] for 0 .. 3;
	}
	my @rows = map { [name_text($_->[0]), $_->[1], $_->[0]] } @top;
	my $many = $others > 0 ? number($others) : 'very many';
	push @rows, ["<em>others ($many)</em>", \@rest, ''] if $others;
	return @rows;
}

sub largest {
	my ($what, @rows) = @_;

	return (sort { $b <=> $a } map { count_of($what, $_->[1]) } @rows)[0];
}

# Tunnels and bytes of a kind.
sub traffic {
	my ($counts, $n, $kind, $word) = @_;
	my @rows = top_and_others($counts->{key}{$kind}, 'bytes', $n, sum($counts));
	my ($tunnels, $bytes) = (largest('tunnels', @rows), largest('bytes', @rows));

	return "<figure><h3>By $word</h3>" . legend(['well', 'served'],
		['unserved', 'not served'], ['up', 'bytes up'], ['down', 'bytes down'])
		. table([$word, 'tunnels', 'not served', 'up', 'down'], map {
			my ($name, $row) = @$_;
			my ($all, $unserved, $up, $down) = @$row;
			row($name . bar($tunnels, ['well', $all - $unserved],
				['unserved', $unserved])
				. bar($bytes, ['up', $up], ['down', $down]),
				number($all), number($unserved), bytes($up), bytes($down))
		} @rows) . "</figure>\n";
}

sub by {
	my ($kind, $word) = @_;

	return sub {
		my ($counts, $n) = @_;
		return traffic($counts, $n, $kind, $word || $kind);
	};
}

# How many there are of a kind, and their share of all. class: of the bar, by the name.
sub shares {
	my ($title, $word, $key, $what, $n, $all, $class) = @_;
	my @rows = top_and_others($key, $what, $n, [$all, $all, 0, 0]);
	my $largest = largest($what, @rows);

	return '' unless @rows;
	return "<figure><h3>$title</h3>" . table([$word, 'tunnels', 'share'], map {
		my ($name, $row, $raw) = @$_;
		my $many = count_of($what, $row);
		row($name . bar($largest, [$raw eq '' ? 'rest' : $class->($raw), $many]),
			number($many), percent($many, $all))
	} @rows) . "</figure>\n";
}

sub ends {
	my ($counts) = @_;

	return shares('How tunnels ended', 'end=', $counts->{key}{end}, 'tunnels', 20,
		sum($counts)->[0], sub { $CLASSES[end_class($_[0])] });
}

sub errors {
	my ($counts, $n) = @_;

	return shares('Why clients were not served', 'end=', $counts->{key}{error},
		'tunnels', $n, sum($counts)->[1], sub { 'unserved' });
}

sub unserved {
	my ($counts, $n) = @_;

	return shares('Clients most often not served', 'client', $counts->{key}{client},
		'unserved', $n, sum($counts)->[1], sub { 'unserved' });
}

sub section {
	my ($daemon, $counts, $n) = @_;
	my @cards;

	push @cards, time_plot($counts, 'Tunnels', \&number, \&short,
		[0, 'well', 'served to the end'], [1, 'cut', 'cut off'],
		[2, 'unserved', 'not served']),
		time_plot($counts, 'Bytes', \&bytes, \&bytes, [4, 'down', 'down'],
			[3, 'up', 'up']) if %{$counts->{spans}};
	push @cards, times_card($counts, $TIMES{$daemon}), ends($counts),
		map { $_->($counts, $n) } @{$TABLES{$daemon}};
	return "<section><h2>$daemon</h2>" . tiles($counts) . '<div class="cards">'
		. join('', @cards) . "</div></section>\n";
}

# From when to when there are tunnels.
sub period {
	my (@all) = @_;
	my @at;

	for my $counts (@all) {
		push @at, map { $_ * $counts->{span_s}, ($_ + 1) * $counts->{span_s} }
			keys %{$counts->{spans}};
	}
	@at = sort { $a <=> $b } @at;
	return 'No tunnel has ended.' unless @all;
	return 'Without dates.' unless @at;
	return join ' to ', map { date_text($_, '%d %b %Y, %H:%M') } @at[0, -1];
}

# read: { logs => [names], lines, bad }.
sub footer {
	my ($read, @all) = @_;
	my @logs = map { text($_) } @{$read->{logs}};
	my $undated = 0;

	$undated += $_->[0] + $_->[1] + $_->[2] for map { $_->{undated} } @all;
	splice @logs, 10, @logs, '...' if @logs > 10;
	return '<footer><p>' . number($read->{lines}) . ' lines of ' . join(', ', @logs)
		. '.' . ($read->{bad} ? ' <strong>Damaged lines of tunnels: '
			. number($read->{bad}) . '.</strong>' : '')
		. ($undated ? ' Without a date, and so not in the plots over time: '
			. number($undated) . '.' : '')
		. ' Dates are local ones. Made by tunnel-report, '
		. strftime('%Y-%m-%d %H:%M %z', localtime) . '.</p></footer>';
}

my $STYLE = do { local $/; <DATA> };

# read: as read_log fills it. n: how many rows the tables have.
sub page {
	my ($title, $n, $read) = @_;
	my $counts = $read->{counts};
	my @daemons = sort keys %$counts;
	my @all = @$counts{@daemons};
	my $period = period(@all); # before the plots make the spans longer

	$title = text($title);
	return <<"END";
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'">
<style>
$STYLE</style></head><body>
<h1>$title</h1><p class="faint">$period</p>
@{[map { section($_, $counts->{$_}, $n) } @daemons]}
@{[footer($read, @all)]}
</body></html>
END
}

1;

__DATA__
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1b2430;
  --faint: #5d6978; --line: #dfe4ea; --well: #3b7dd8; --cut: #d99a1e;
  --unserved: #cf3f3f; --up: #7a5cc9; --down: #1f9a8a; }
@media (prefers-color-scheme: dark) {
  :root { --back: #12161c; --card: #1b212a; --text: #e3e8ee; --faint: #9aa7b5;
    --line: #333d49; --well: #5b9bf0; --cut: #e0ac45; --unserved: #ee6a6a;
    --up: #a58cf0; --down: #3fbfae; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 20px; background: var(--back);
  color: var(--text); font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 20px; margin: 28px 0 12px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 4px 0; }
.faint, small, figcaption, footer { color: var(--faint); font-size: 13px; }
small { font-weight: normal; white-space: nowrap; }
footer { margin-top: 24px; overflow-wrap: anywhere; }

.tiles, .cards { display: grid; gap: 14px; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(130px, 1fr));
  margin-bottom: 14px; }
.cards { grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.tiles div, figure { margin: 0; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px 14px; min-width: 0; }
.tiles b { display: block; font-size: 20px; }

.legend { font-size: 13px; margin: 0 0 8px; }
.legend span { margin-right: 12px; white-space: nowrap; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px;
  margin-right: 5px; }
svg { display: block; }
.plot { display: flex; }
.left { flex: 0 0 52px; }
.left text { text-anchor: end; }
.area { flex: 1 1 0; min-width: 0; margin-left: 6px; overflow: visible; }
.bar { margin-top: 2px; }
text { fill: var(--faint); font-size: 12px; }
.grid line { stroke: var(--line); }
.tick { stroke: var(--faint); }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.well { fill: var(--well); } i.well { background: var(--well); }
.cut { fill: var(--cut); } i.cut { background: var(--cut); }
.unserved { fill: var(--unserved); } i.unserved { background: var(--unserved); }
.up { fill: var(--up); } i.up { background: var(--up); }
.down { fill: var(--down); } i.down { background: var(--down); }
.rest { fill: var(--faint); }
polyline.dns { stroke: var(--cut); } i.dns { background: var(--cut); }
polyline.dial { stroke: var(--well); } i.dial { background: var(--well); }
polyline.time { stroke: var(--down); } i.time { background: var(--down); }

table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
figcaption + table { margin-top: 8px; }
th, td { padding: 5px 0 5px 10px; text-align: right; vertical-align: top;
  border-top: 1px solid var(--line); font-weight: normal; }
td { white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; width: 46%;
  overflow-wrap: anywhere; }
th:first-child:nth-last-child(3) { width: 64%; }
tr:first-child th { border: 0; color: var(--faint); font-size: 13px; }
@media (max-width: 480px) {
  body { padding: 12px; }
  th, td { padding-left: 6px; }
  table, tr:first-child th { font-size: 12px; } }
