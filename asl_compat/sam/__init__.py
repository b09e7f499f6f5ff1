"""The stack on AWS: a SAM template, its configuration, and an input to try it with."""

from asl_compat.sam._functions import LAMBDAS, Lambda
from asl_compat.sam._input import test_input
from asl_compat.sam._machines import CALLED, MACHINES
from asl_compat.sam._template import print_template, samconfig, template

__all__ = ["CALLED", "LAMBDAS", "MACHINES", "Lambda", "print_template", "samconfig", "template", "test_input"]
