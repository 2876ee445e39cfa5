"""The steps of one job, plain async functions: prepare → generate → deliver (core/README.md).

Each may be replayed.
"""
