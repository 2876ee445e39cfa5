"""The steps of one job, plain async functions: take → generate → finish (architecture.md §2).

Each may be replayed.
"""
