"""The stack on AWS: a SAM template, its configuration, and an input to try it with."""

from asl_compat.sam._functions import LAMBDAS, Lambda
from asl_compat.sam._input import test_input
from asl_compat.sam._layer import Architecture, layer_makefile
from asl_compat.sam._machines import CALLED, MACHINES
from asl_compat.sam._template import print_template, samconfig, template

__all__ = [
    "CALLED",
    "LAMBDAS",
    "MACHINES",
    "Architecture",
    "Lambda",
    "layer_makefile",
    "print_template",
    "samconfig",
    "template",
    "test_input",
]
