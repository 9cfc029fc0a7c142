"""The only rooms that know AWS, and the only way out over HTTP."""
