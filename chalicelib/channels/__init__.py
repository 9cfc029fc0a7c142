"""One file per way of telling."""
