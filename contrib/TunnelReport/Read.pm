# SPDX-License-Identifier: ISC
#
# The logs, each of which is read once. A large file is read in parts that are counted on
# their own, and by several processes if there are processors for them. The parts are the
# same however many there are, and so is what comes of it.

package TunnelReport::Read;

use strict;
use warnings;
use Exporter;
use IO::Handle;
use Storable qw(store_fd fd_retrieve);
use TunnelReport::Counts qw(new_counts count merge);
use TunnelReport::Line qw(parse_line wall_clock);

our @ISA = qw(Exporter);
our @EXPORT_OK = qw(complain fatal processors read_log);

our $PART = 32 << 20; # bytes
my $terminal = -t STDERR;

sub complain {
	print STDERR "tunnel-report: @_\n";
}

sub fatal {
	complain(@_);
	exit 1;
}

sub processors {
	my ($n) = (`getconf _NPROCESSORS_ONLN 2>&1` || '') =~ /^(\d+)$/;

	return $n || 1;
}

sub open_file {
	my ($path) = @_;
	my $file;

	return \*STDIN if $path eq '-';
	open $file, '<', $path or fatal("$path: $!");
	return $file unless $path =~ /\.gz$/;
	close $file;
	open $file, '-|', 'gzip', '-dc', '--', $path or fatal("gzip: $!");
	return $file;
}

# written: when that was. A size is known only of what can be read in parts.
sub open_log {
	my ($path) = @_;
	my $file = open_file($path);
	my $parted = -f $file && $path ne '-';
	my @stat = -f $file ? stat _ : $path =~ /\.gz$/ ? stat $path : ();
	my $size = $parted ? $stat[7] : 0;

	return {
		path => $path,
		file => $file,
		written => wall_clock(@stat ? $stat[9] : time),
		size => $size,
		parts => int($size / $PART) + 1,
		lines => 0,
		bad => 0,
	};
}

sub show_progress {
	my ($log, $done, $lines) = @_;
	my $size = $log->{size};

	return unless $terminal;
	$done = $size if $done > $size;
	printf STDERR "\r\e[K%s: %s%d lines", $log->{path},
		$size ? sprintf('%d %%, ', 100 * $done / $size) : '', $lines;
}

# To where the first line begins that is of this part.
sub find_part {
	my ($log, $from) = @_;
	my $file = $log->{file};

	return 0 if $from == 0;
	seek $file, $from - 1, 0 or return $from;
	return $from - 1 + length(readline($file) || '');
}

# The part has the lines that begin in it. The last one goes on to the end of the file,
# which may have grown.
sub count_part {
	my ($log, $i) = @_;
	my ($file, $written) = @$log{'file', 'written'};
	my %part = (lines => 0, bad => 0, first => 0, counts => {});
	my $at = find_part($log, $i * $PART);
	my $end = $i + 1 < $log->{parts} ? ($i + 1) * $PART : 9 ** 9 ** 9;
	my ($lines, $counts) = (0, $part{counts});

	while ($at < $end && defined(my $line = <$file>)) {
		my ($daemon, $values, $minute) = parse_line($line, $written);
		$lines++;
		$at += length $line;
		if ($daemon) {
			count($counts->{$daemon} ||= new_counts($daemon), $values,
				$minute);
		} elsif (defined $daemon) {
			$part{bad}++ or $part{first} = $lines;
		}
		show_progress($log, $at, $log->{lines} + $lines) if $lines % 50_000 == 0;
	}
	@part{'lines', 'error'} = ($lines, $file->error);
	return \%part;
}

# One of n processes, each of which counts every n-th part: its results come through the
# pipe. Undef if it cannot be started.
sub start_worker {
	my ($log, $first, $n) = @_;

	pipe my $results, my $out or return undef;
	defined(my $pid = fork) or return undef;
	return { pid => $pid, results => $results } if $pid;
	$log->{file} = open_file($log->{path}); # where it is read is nobody else's affair
	$terminal = 0;
	for (my $i = $first; $i < $log->{parts}; $i += $n) {
		store_fd(count_part($log, $i), $out);
		$out->flush; # or the end of it comes with the next part only
	}
	exit 0;
}

sub add_part {
	my ($read, $log, $part) = @_;
	my ($counts, $more) = ($read->{counts}, $part->{counts});

	fatal("$log->{path}: cannot be read") if $part->{error};
	$log->{first} = $log->{lines} + $part->{first} if $part->{bad} && !$log->{bad};
	for my $sum ($log, $read) {
		$sum->{$_} += $part->{$_} for qw(lines bad);
	}
	$counts->{$_} = $counts->{$_} ? merge($counts->{$_}, $more->{$_}) : $more->{$_}
		for keys %$more;
}

# What a worker that could not be started would have done is done here.
sub read_parts {
	my ($read, $log, $n) = @_;
	my @workers = $n > 1 ? map { start_worker($log, $_, $n) } 0 .. $n - 1 : undef;

	for my $i (0 .. $log->{parts} - 1) {
		my $worker = $workers[$i % $n];
		my $part = $worker ? eval { fd_retrieve($worker->{results}) }
			: count_part($log, $i);
		fatal("$log->{path}: a process that counts has ended early") unless $part;
		add_part($read, $log, $part);
		show_progress($log, ($i + 1) * $PART, $log->{lines});
	}
	$_ and waitpid $_->{pid}, 0 for @workers;
}

# read: { logs => [names], lines, bad, counts => { by daemon } }, to which this one is
# added. jobs: how many processes may count.
sub read_log {
	my ($read, $path, $jobs) = @_;
	my $log = open_log($path);

	push @{$read->{logs}}, $path eq '-' ? 'the standard input' : $path;
	read_parts($read, $log, $jobs < $log->{parts} ? $jobs : $log->{parts});
	print STDERR "\r\e[K" if $terminal;
	$path eq '-' or close $log->{file} or fatal("$path: gzip cannot unpack it");
	complain("$path: damaged lines of tunnels: $log->{bad},"
		. " first in line $log->{first}") if $log->{bad};
}

1;
