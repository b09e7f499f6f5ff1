"""The layer: which packages functions need, and how they get into it."""

from __future__ import annotations

from typing import Literal

__all__ = ["Architecture", "layer_makefile"]

Architecture = Literal["x86_64", "arm64"]
"""Of Lambda functions."""

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_GLIBC = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""What wheels may be built for: the system of the runtime python3.12, or an older one."""


def layer_makefile(architecture: Architecture) -> str:
    """How ``sam build`` makes the layer, on any machine that has make and pip.

    Its own method for Python drops the programs that packages bring: the sandbox of ``code`` is one. Lambda has
    ``bin`` of a layer on the PATH.
    """
    platforms = " ".join(f"--platform {glibc}_{_MACHINES[architecture]}" for glibc in _GLIBC)
    return f"""\
PYTHON ?= python3

build-DependenciesLayer:
\t$(PYTHON) -m pip --disable-pip-version-check install --quiet --no-compile --require-hashes --only-binary=:all: \\
\t\t--implementation cp --python-version 3.12 {platforms} \\
\t\t--target "$(ARTIFACTS_DIR)/python" --requirement requirements.txt
\tmkdir -p "$(ARTIFACTS_DIR)/bin"
\tmv "$(ARTIFACTS_DIR)/python/bin/monty" "$(ARTIFACTS_DIR)/bin/"
\trm -rf "$(ARTIFACTS_DIR)/python/bin"
"""
