"""Workflows to run, and a tour of them."""
