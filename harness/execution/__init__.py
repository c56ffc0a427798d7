"""Runs one job on one machine, with any executor. The only package that starts processes."""
