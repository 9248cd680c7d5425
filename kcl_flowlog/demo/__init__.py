"""The demo: an embedded AWS, generated traffic, and a check that each record is counted once.

Nothing here runs in an installation; only the command line imports it. The demo
knows the product only from outside, by its command and its metrics page, so its
figures are independent. Its libraries come with the extra `demo`.
"""
