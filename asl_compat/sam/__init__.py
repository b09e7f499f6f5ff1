"""The stack on AWS: a SAM template, its configuration, and an input to try it with."""

from asl_compat.sam._functions import LAMBDAS, Lambda
from asl_compat.sam._input import test_input
from asl_compat.sam._layer import Architecture, layer_makefile
from asl_compat.sam._machines import CALLED, GENERATIONS, MACHINES, Generation, placeholders_in
from asl_compat.sam._template import print_template, samconfig, template

__all__ = [
    "CALLED",
    "GENERATIONS",
    "LAMBDAS",
    "MACHINES",
    "Architecture",
    "Generation",
    "Lambda",
    "layer_makefile",
    "placeholders_in",
    "print_template",
    "samconfig",
    "template",
    "test_input",
]
