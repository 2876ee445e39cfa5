"""A stand-in for DashScope over HTTP.

Its endpoints, limits, errors, timing, and pictures truly made from the request.

Its rules come from the vendor's pages, which core/providers/dashscope/README.md sums up; it
imports nothing of Easel.
"""
