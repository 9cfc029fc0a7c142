"""Cordon: gifts through the cordon. Everything in this package ships to Lambda."""
