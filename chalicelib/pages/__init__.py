"""What people read: pages built of words, and how they look."""
