"""What Easel remembers: rows in SQLite or PostgreSQL, picture bytes in blobs."""
