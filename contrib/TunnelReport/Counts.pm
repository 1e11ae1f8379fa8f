# SPDX-License-Identifier: ISC
#
# What is kept of the tunnels of one daemon: sums for each client, target ... and each
# span of time, and how often each length of time was seen. The memory this takes has a
# bound, however many tunnels there are.

package TunnelReport::Counts;

use strict;
use warnings;
use Exporter;
use TunnelReport::Line qw(%FIELDS);

our @ISA = qw(Exporter);
our @EXPORT_OK = qw(
	end_class new_counts count merge sum count_of columns quantile shares top);

my $MAX_KEYS = 10_000; # clients, targets ...: of each
my $MAX_SPANS = 2_000; # of time
my $GROWTH = log 1.05; # of the classes that lengths of time fall into

my @KEYS = qw(client user rule cmd route target upstream end);
my @TIMES = qw(dns dial time);

# What became of a client: 0 served to its end, 1 cut off, 2 not served.
my %CLASS = (
	'client-eof' => 0, 'target-eof' => 0,
	map { $_ => 2 } qw(denied auth-failed bad-request handshake-timeout connect-failed
		limit)
);

sub end_class {
	my ($end) = @_;

	return exists $CLASS{$end} ? $CLASS{$end} : 1;
}

# A row of sums is [tunnels, of these not served, bytes up, bytes down]; a span of time is
# [served to the end, cut off, not served, bytes up, bytes down]. The keys and the times
# have their place among the fields.
sub new_counts {
	my ($daemon) = @_;
	my @fields = @{$FIELDS{$daemon}};
	my %place = map { $fields[$_] => $_ } 0 .. $#fields;
	my %key = map { $_ => { place => $place{$_}, rows => {}, folded => 0 } }
		@KEYS, 'error';
	my %time = map { $_ => { place => $place{$_}, classes => [], longest => 0 } }
		@TIMES;

	return {
		key => \%key,
		keys => [map { $key{$_} } grep { exists $place{$_} } @KEYS],
		time => \%time,
		times => [map { $time{$_} } grep { exists $place{$_} } @TIMES],
		traffic => [@place{qw(up down end more)}],
		span_s => 60,
		spans => {},
		undated => [0, 0, 0, 0, 0],
	};
}

# How large it is where the upper quarter ends.
sub upper_quarter {
	my (@sizes) = sort { $b <=> $a } @_;

	return $sizes[int(@sizes / 4)];
}

# Too many keys: those that are neither by tunnels nor by bytes in the upper quarter are
# forgotten, which makes them some of the others.
sub fold_keys {
	my ($key) = @_;
	my $rows = $key->{rows};
	my $tunnels = upper_quarter(map { $_->[0] } values %$rows);
	my $bytes = upper_quarter(map { $_->[2] + $_->[3] } values %$rows);

	$key->{rows} = { map { $_ => $rows->{$_} } grep { $rows->{$_}[0] > $tunnels
		|| $rows->{$_}[2] + $rows->{$_}[3] > $bytes } keys %$rows };
	$key->{folded} = 1;
}

sub new_row {
	my ($key, $name) = @_;

	fold_keys($key) if keys %{$key->{rows}} >= $MAX_KEYS;
	return $key->{rows}{$name} = [0, 0, 0, 0];
}

# The length of time that is next longer, and a multiple that is easy to read.
sub longer {
	my ($span_s) = @_;

	for (60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400,
		28 * 86400) {
		return $_ if $_ > $span_s;
	}
	return $span_s * 2;
}

# Counts in longer spans of time from now on.
sub fold_spans {
	my ($counts) = @_;
	my ($old, $old_s) = @$counts{'spans', 'span_s'};
	my $span_s = longer($old_s);
	my %spans;

	for my $i (keys %$old) {
		my $span = $spans{int($i * $old_s / $span_s)} ||= [0, 0, 0, 0, 0];
		$span->[$_] += $old->{$i}[$_] for 0 .. 4;
	}
	@$counts{'spans', 'span_s'} = (\%spans, $span_s);
}

sub new_span {
	my ($counts, $minute) = @_;

	fold_spans($counts) while keys %{$counts->{spans}} >= $MAX_SPANS;
	return $counts->{spans}{int($minute / $counts->{span_s})} ||= [0, 0, 0, 0, 0];
}

sub count_error {
	my ($key, $error, $more) = @_;

	$error .= " $1" if defined $more && $more =~ /^(rep=\S+ error="[^"]*")/;
	my $row = $key->{rows}{$error} || new_row($key, $error);
	$row->[0]++;
	$row->[1]++;
}

# Class 0 is less than a millisecond, class n up to 1.05 to the power of n of them.
sub count_times {
	my ($times, $values) = @_;

	for my $time (@$times) {
		my $s = $values->[$time->{place}];
		next if $s eq '-';
		$time->{classes}[$s < 0.001 ? 0 : 1 + log($s * 1000) / $GROWTH]++;
		$time->{longest} = $s if $s > $time->{longest};
	}
}

# One tunnel, as parse_line gives it. This is where the time goes, and so it is all here.
sub count {
	my ($counts, $values, $minute) = @_;
	my ($up, $down, $end, $more) = @$values[@{$counts->{traffic}}];
	my $class = exists $CLASS{$end} ? $CLASS{$end} : 1;
	my $unserved = $class == 2;
	my $span = $counts->{undated};

	$up += 0; # once, and not from text for each sum
	$down += 0;
	for my $key (@{$counts->{keys}}) {
		my $name = $values->[$key->{place}];
		my $row = $key->{rows}{$name} || new_row($key, $name);
		$row->[0]++;
		$row->[1]++ if $unserved;
		$row->[2] += $up;
		$row->[3] += $down;
	}
	$unserved ? count_error($counts->{key}{error}, $end, $more)
		: count_times($counts->{times}, $values);
	if (defined $minute) {
		my $i = int($minute / $counts->{span_s});
		$span = $counts->{spans}{$i} || new_span($counts, $minute);
	}
	$span->[$class]++;
	$span->[3] += $up;
	$span->[4] += $down;
}

sub add_row {
	my ($to, $from) = @_;

	$to->[$_] += $from->[$_] || 0 for 0 .. $#$from;
}

sub merge_key {
	my ($to, $from) = @_;
	my ($rows, $more) = ($to->{rows}, $from->{rows});

	for my $name (keys %$more) {
		$rows->{$name} ? add_row($rows->{$name}, $more->{$name})
			: ($rows->{$name} = $more->{$name});
	}
	$to->{folded} ||= $from->{folded};
	fold_keys($to) if keys %$rows > $MAX_KEYS; # no sooner: no order may matter
}

sub merge_time {
	my ($to, $from) = @_;

	add_row($to->{classes}, $from->{classes});
	$to->{longest} = $from->{longest} if $from->{longest} > $to->{longest};
}

sub merge_spans {
	my ($to, $from) = @_;

	fold_spans($to) while $to->{span_s} < $from->{span_s};
	fold_spans($from) while $from->{span_s} < $to->{span_s};
	for my $i (keys %{$from->{spans}}) {
		add_row($to->{spans}{$i} ||= [0, 0, 0, 0, 0], $from->{spans}{$i});
	}
	fold_spans($to) while keys %{$to->{spans}} > $MAX_SPANS;
}

# Adds what was counted elsewhere, and which is of no use afterwards. Returns the sum.
sub merge {
	my ($to, $from) = @_;

	merge_key($to->{key}{$_}, $from->{key}{$_}) for keys %{$to->{key}};
	merge_time($to->{time}{$_}, $from->{time}{$_}) for keys %{$to->{time}};
	merge_spans($to, $from);
	add_row($to->{undated}, $from->{undated});
	return $to;
}

# All of them, as one row.
sub sum {
	my ($counts) = @_;
	my @row = (0, 0, 0, 0);

	for (values %{$counts->{spans}}, $counts->{undated}) {
		my ($well, $cut, $unserved, $up, $down) = @$_;
		$row[0] += $well + $cut + $unserved;
		$row[1] += $unserved;
		$row[2] += $up;
		$row[3] += $down;
	}
	return \@row;
}

# The spans, not more than that many, without gaps: (when the first begins, spans...).
sub columns {
	my ($counts, $max) = @_;

	for (;;) {
		my $spans = $counts->{spans};
		my ($first, $last) = (sort { $a <=> $b } keys %$spans)[0, -1];
		return ($first * $counts->{span_s},
			map { $spans->{$_} || [0, 0, 0, 0, 0] } $first .. $last)
			if $last - $first < $max;
		fold_spans($counts);
	}
}

# How many took at most so many milliseconds: ([ms, share from 0 to 1]...).
sub shares {
	my ($time) = @_;
	my ($all, $sum, @shares) = (0, 0);

	$all += $_ || 0 for @{$time->{classes}};
	for my $i (0 .. $#{$time->{classes}}) {
		my $n = $time->{classes}[$i] or next;
		push @shares, [$i ? exp(($i - 1) * $GROWTH) : 0, $sum / $all];
		$sum += $n;
		push @shares, [exp($i * $GROWTH), $sum / $all];
	}
	return @shares;
}

# Seconds, to 5 %, that this share of all did not exceed; undef if there was none.
sub quantile {
	my ($time, $share) = @_;
	my @shares = shares($time);

	while (my ($from, $to) = splice @shares, 0, 2) {
		next if $to->[1] < $share;
		my $s = sqrt($from->[0] * $to->[0]) / 1000;
		return $s < $time->{longest} ? $s : $time->{longest};
	}
	return;
}

my %COUNT_OF = (
	tunnels => sub { $_[0][0] },
	unserved => sub { $_[0][1] },
	bytes => sub { $_[0][2] + $_[0][3] },
);

sub count_of {
	my ($what, $row) = @_;

	return $COUNT_OF{$what}->($row);
}

# The first n of a kind by what: (how many others, or -1 if that is not known; then
# [name, row]...).
sub top {
	my ($key, $what, $n) = @_;
	my ($rows, $of) = ($key->{rows}, $COUNT_OF{$what});
	my @names = sort { $of->($rows->{$b}) <=> $of->($rows->{$a})
		|| $rows->{$b}[0] <=> $rows->{$a}[0] || $a cmp $b }
		grep { $what eq 'bytes' || $of->($rows->{$_}) } keys %$rows;
	my $others = @names > $n ? @names - $n : 0;

	splice @names, $n if $others;
	return ($key->{folded} ? -1 : $others, map { [$_, $rows->{$_}] } @names);
}

1;
