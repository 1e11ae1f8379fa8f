# SPDX-License-Identifier: ISC
#
# What bench.sh has found: a line ROUND CONTENDER NAME VALUE for each result, and before
# them "# WORD TEXT" about the whole.

package Found;

use strict;
use warnings;
use Exporter;

our @ISA = qw(Exporter);
our @EXPORT = qw(read_results about contenders levels found ratio step_kb worst number);

my (%about, %rounds, @contenders, %seen);

# From the files of the command line.
sub read_results {
	while (<>) {
		if (/^# (\w+) (.*)/) {
			$about{$1} = $2;
		} elsif (/^(\d+) (\S+) (\S+) (-?[\d.]+)$/) {
			push @contenders, $2 unless $seen{$2}++;
			$rounds{$2}{$3}{$1} = $4;
		} else {
			die "report.pl: line $.: $_";
		}
	}
}

sub about {
	return $about{ $_[0] };
}

# In the order in which they ran.
sub contenders {
	return @contenders;
}

# The numbers of idle tunnels, the least first.
sub levels {
	my %levels;

	for my $who (@contenders) {
		/^idle\.per_s_(\d+)$/ and $levels{$1} = 1 for keys %{ $rounds{$who} };
	}
	return sort { $a <=> $b } keys %levels;
}

sub median {
	my @sorted = sort { $a <=> $b } @_;

	return undef unless @sorted;
	return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# Of all rounds; undef: not measured.
sub found {
	my ($who, $what) = @_;

	return median(values %{ $rounds{$who}{$what} || {} });
}

# The median of the ratios in each round that has both: drifts of the machine fall out.
sub ratio {
	my ($who, $what, $other, $its) = @_;
	my ($mine, $others) = ($rounds{$who}{$what}, $rounds{$other}{$its || $what});
	my @both = grep { ($others->{$_} || 0) > 0 } keys %{ $mine || {} };

	return median(map { $mine->{$_} / $others->{$_} } @both);
}

sub number {
	my ($value, $digits) = @_;

	return defined $value ? sprintf "%.${digits}f", $value : '-';
}

# What one more tunnel took of the system, between two levels, in kB.
sub step_kb {
	my ($who, $from, $to) = @_;
	my ($before, $then) = map { found($who, "idle.system_kb_$_") } $from, $to;

	return undef unless defined $before && defined $then;
	return ($then * $to - $before * $from) / ($to - $from);
}

# The least of those that are known, or the largest.
sub worst {
	my ($most, @values) = @_;
	my @known = sort { $a <=> $b } grep { defined } @values;

	return @known ? $known[$most ? -1 : 0] : undef;
}

1;
