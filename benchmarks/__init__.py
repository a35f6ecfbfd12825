"""Measurements: each script prints its own table."""
