"""The check before a deployment: what would fail on AWS is found here."""

from asl_compat.check._check import CHECKS, Finding, check_folder, count_lines

__all__ = ["CHECKS", "Finding", "check_folder", "count_lines"]
