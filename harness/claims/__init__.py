"""Checks claims in prose against recorded numbers. Reads text; never changes it."""
