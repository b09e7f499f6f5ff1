"""What a segment costs: measured against plain Temporal on the same server, in the same process, in the same run."""

from benchmarks._benchmarks import APART, BENCHMARKS, LOCAL_BENCHMARKS, SERVERS, Report, Size, run_benchmarks
from benchmarks._figures import Figure

__all__ = ["APART", "BENCHMARKS", "LOCAL_BENCHMARKS", "SERVERS", "Figure", "Report", "Size", "run_benchmarks"]
