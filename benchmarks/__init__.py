"""Measurements, one file for each question. They never gate the tests."""
