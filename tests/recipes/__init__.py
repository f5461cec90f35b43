"""Recipes: short scripts to paste, each of which tests/test_recipes.py runs."""
