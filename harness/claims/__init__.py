"""Prose held against numbers. Reads text; never changes it."""
