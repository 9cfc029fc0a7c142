"""What one gift costs on AWS: every call of its whole life, with its units. `python -m tests.ledger` writes
docs/cost.md from it."""
