"""What a definition must keep to beyond its shape."""

from asl_compat.model.rules._validation import WARNING_CODES, is_warning, validate_definition

__all__ = ["WARNING_CODES", "is_warning", "validate_definition"]
