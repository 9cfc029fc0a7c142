"""Verbs: one file per step of an order's life. Each looks at where the order is; doing it twice is harmless."""
