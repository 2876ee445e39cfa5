"""A stand-in for DashScope over HTTP.

It has the service's endpoints, limits, errors and timing, and makes its pictures from the request.

Its rules come from the vendor's pages, which core/providers/dashscope/README.md sums up; it
imports nothing of Easel.
"""
