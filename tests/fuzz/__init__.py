"""Fuzz targets: functions that take any bytes, pass them to one entry point, and check the result.

The suite runs each with some hundred inputs: generated ones, and those kept in `corpus`. For a long
search, which is guided by coverage: `python -m tests.fuzz TARGET --seconds 600`.
"""
