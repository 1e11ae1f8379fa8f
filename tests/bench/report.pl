#!/usr/bin/perl
# SPDX-License-Identifier: ISC
#
# report.pl [--svg FILE] [--readme FILE] RESULTS: what bench.sh has found, as tables of
# medians and, per round, ratios; with the bounds that the daemons are to keep. With
# --svg a chart as well; with --readme the tables take the place of those in that text.

use strict;
use warnings;
use lib $0 =~ m{(.*)/} ? $1 : '.';
use Chart;
use Found;

my ($svg, $readme);

while (@ARGV > 1) {
	my ($option, $value) = splice @ARGV, 0, 2;
	if ($option eq '--svg') { $svg = $value }
	elsif ($option eq '--readme') { $readme = $value }
	else { die "report.pl: $option?\n" }
}

read_results();
my @contenders = contenders();
my @levels = levels();

# ---- the tables ----

my @bulk = map { ("up$_", "down$_") } 1, 16;

# rows(HEAD, [what, digits]...): a line for each contender that has any of them.
sub rows {
	my ($head, @columns) = @_;
	my $text = $head;

	for my $who (@contenders) {
		my @cells = map { number(found($who, $_->[0]), $_->[1]) } @columns;
		next unless grep { $_ ne '-' } @cells;
		$text .= sprintf "%-18s" . '%8s' x @cells . "\n", $who, @cells;
	}
	return "$text\n";
}

sub head {
	my ($first, @others) = @_;

	return sprintf "%-18s" . '%8s' x @others . "\n", $first, @others;
}

sub bulk_table {
	return '' unless grep { defined found($_, 'up1.mb_per_s') } @contenders;
	return rows(
		sprintf("%-18s%32s%32s\n", 'Bulk', 'MB/s', 'CPU s/GB')
		. head('streams', ('1 up', '1 down', '16 up', '16 down') x 2),
		(map { ["$_.mb_per_s", 0] } @bulk),
		(map { ["$_.cpu_s_per_gb", 3] } @bulk));
}

sub small_table {
	my @columns = (['connect.per_s', 0], ['connect.cpu_us', 0],
		['roundtrip.median_us', 1], ['roundtrip.p99_us', 1],
		['udp.per_s', 0], ['udp.lost_percent', 2],
		['udp.cpu_us', 1]);

	return '' unless grep { my $who = $_;
		grep { defined found($who, $_->[0]) } @columns } @contenders;
	return rows(
		sprintf("%-18s%16s%16s%24s\n", 'Small', 'new connections', '64 bytes, us',
			'datagrams')
		. head('', 'per s', 'CPU us', 'median', '99 %', 'per s', 'lost %',
			'CPU us'),
		@columns);
}

sub idle_table {
	my $text = '';

	return '' unless @levels > 1;
	my @to = map { "to $_" } @levels[1 .. $#levels];
	$text = sprintf("%-18s%*s  %*s\n", 'Idle tunnels', 8 * @to, 'kB each', 8 * @to,
		@to > 1 ? 'set up per s' : 'per s')
		. sprintf("%-18s" . '%8s' x @to . '  ' . '%8s' x @to . "\n",
			"from $levels[0]", @to, @to);
	for my $who (@contenders) {
		next unless defined found($who, "idle.per_s_$levels[1]");
		$text .= sprintf "%-18s" . '%8s' x @to . '  ' . '%8s' x @to . "\n", $who,
			(map { number(step_kb($who, @levels[$_ - 1, $_]), 1) }
				1 .. $#levels),
			(map { number(found($who, "idle.per_s_$_"), 0) }
				@levels[1 .. $#levels]);
	}
	return "$text\n";
}

# ---- the bounds ----

# Of the four kinds of bulk the one that is worst for us.
sub bulk_cost {
	my ($other) = @_;

	return worst(1, map { ratio('one-hop', "$_.cpu_s_per_gb", $other) } @bulk);
}

sub one_stream {
	my ($who) = @_;

	return worst(0, map { ratio($who, "$_.mb_per_s", 'direct') } qw(up1 down1));
}

# Both as far as both went, and not from the first step: what a contender that has just
# ended gives back late is in that.
sub memory {
	my ($other) = @_;
	my @common = @levels;

	for my $who ('one-hop', $other) {
		@common = grep { defined found($who, "idle.system_kb_$_") } @common;
	}

	shift @common if @common > 2;
	return undef if @common < 2;
	my ($ours, $its) = map { step_kb($_, @common[0, -1]) } 'one-hop', $other;
	return $its > 0 ? $ours / $its : undef;
}

# How much dearer the dearest step is than the cheapest; small steps drown in noise.
sub growth {
	my ($who) = @_;
	my @steps = grep { defined } map { step_kb($who, @levels[$_ - 1, $_]) }
		grep { $levels[$_] >= 3000 } 1 .. $#levels;

	return undef if @steps < 2 || worst(0, @steps) <= 0;
	return worst(1, @steps) / worst(0, @steps);
}

sub setup_rate {
	my ($who) = @_;
	my @known = grep { defined found($who, "idle.per_s_$_") } @levels;

	return undef unless @known > 2;
	return ratio($who, "idle.per_s_$known[-1]", $who, "idle.per_s_$known[1]");
}

sub held {
	my ($who) = @_;

	return undef unless ($levels[-1] || 0) >= 9000;
	return 9000 if defined found($who, 'idle.per_s_9000');
	return defined found($who, 'idle.broken') ? 0 : undef;
}

# [what, how it is to be, bound, value]
sub bounds {
	my @bounds = (
		['bulk, CPU per byte, of microsocks', '<=', 0.25,
			bulk_cost('microsocks')],
		['bulk, CPU per byte, of nginx', '<=', 0.25, bulk_cost('nginx')],
		['bulk, CPU per byte, of haproxy (splice)', '<', 1, bulk_cost('haproxy')],
		['1 stream, of direct', '>=', 0.6, one_stream('one-hop')],
		['1 stream, two-tier, of direct', '>=', 0.45, one_stream('two-tier')],
		['connections a second, of microsocks', '>=', 1.2,
			ratio('one-hop', 'connect.per_s', 'microsocks')],
		['connections a second, of dante', '>=', 2,
			ratio('one-hop', 'connect.per_s', 'dante')],
		['CPU per connection, of microsocks', '<=', 1,
			ratio('one-hop', 'connect.cpu_us', 'microsocks')],
		['connections a second, two-tier-spare, of one-hop', '>=', 0.6,
			ratio('two-tier-spare', 'connect.per_s', 'one-hop')],
		['connections a second, of one-hop-quiet', '>=', 0.95,
			ratio('one-hop', 'connect.per_s', 'one-hop-quiet')]);

	for my $part (['median', 1.05], ['p99', 1.1]) {
		my $what = "roundtrip.$part->[0]_us";
		push @bounds,
			["round trip, $part->[0], of microsocks (noise: within)", '<=',
				$part->[1], ratio('one-hop', $what, 'microsocks')],
			["round trip, $part->[0], of dante", '<', 1,
				ratio('one-hop', $what, 'dante')];
	}
	push @bounds, ['memory of an idle tunnel, of microsocks', '<=', 1,
		memory('microsocks')];
	for my $who (qw(one-hop two-tier)) {
		push @bounds,
			["$who, tunnels with 20000 descriptors", '>=', 9000, held($who)],
			["$who, memory, dearest step of cheapest", '<=', 1.25,
				growth($who)],
			["$who, set-up rate, last step of first", '>=', 0.85,
				setup_rate($who)];
	}
	return @bounds, ['datagrams a second, of dante', '>=', 2,
		ratio('one-hop', 'udp.per_s', 'dante')];
}

sub keeps {
	my ($how, $bound, $value) = @_;

	return $how eq '<' ? $value < $bound : $how eq '<=' ? $value <= $bound :
		$value >= $bound;
}

sub bounds_table {
	my @known = grep { defined $_->[3] } bounds();
	my $text = @known ? sprintf "%-54s%10s%10s\n", 'Bounds', 'wanted', 'found' : '';

	for (@known) {
		my ($what, $how, $bound, $value) = @$_;
		$text .= sprintf "%-54s%10s%10s  %s\n", $what, "$how $bound",
			$bound >= 1000 ? $value : number($value, 2),
			keeps($how, $bound, $value) ? 'met' : 'NOT MET';
	}
	return $text;
}

sub title {
	my ($load, $command, $when, $rounds, $machine) =
		map { about($_) } qw(load command when rounds machine);

	$machine =~ s/; Linux/\nLinux/;
	return "$command, $when, medians of $rounds rounds\n$machine\n"
		. ($load > 0.5 ? "The machine had other work, too (load $load).\n" : '')
		. "\n";
}

# ---- where it goes ----

sub spew {
	my ($file, $text) = @_;

	open my $out, '>', $file or die "report.pl: $file: $!\n";
	print $out $text;
	close $out or die "report.pl: $file: $!\n";
}

# The block begins with the line that title() makes, and goes to the next line that does
# not stand to the right.
sub put_into_readme {
	my ($tables) = @_;
	my ($text, $inside, $done) = ('', 0, 0);

	$tables =~ s/^(?=.)/    /mg;
	open my $in, '<', $readme or die "report.pl: $readme: $!\n";
	while (<$in>) {
		if (/^    make bench.*, medians of \d+ rounds$/) {
			$text .= $tables;
			$inside = $done = 1;
		}
		$inside = 0 if $inside && /^\S/;
		$text .= $_ unless $inside;
	}
	die "report.pl: $readme has no such table\n" unless $done;
	# The blank lines before the next text went with the old table.
	$text =~ s/(\Q$tables\E)(?=\S)/$1\n/;
	spew($readme, $text);
}

my $tables = title() . bulk_table() . small_table() . idle_table() . bounds_table();
$tables =~ s/ +$//mg;
print $tables;
spew($svg, chart()) if $svg;
put_into_readme($tables) if $readme;
