"""A stand-in for DashScope over HTTP.

Its endpoints, limits, errors, timing, and pictures truly made from the request.

Its rules come from the vendor's pages (reference/dashscope.md); it knows nothing of Easel's own
code.
"""
