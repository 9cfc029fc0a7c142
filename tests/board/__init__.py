"""The board in a real browser, over a small city in memory."""
