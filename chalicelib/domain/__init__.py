"""Nouns, pure: the standard library and pydantic, no clock, no chance, no network."""
