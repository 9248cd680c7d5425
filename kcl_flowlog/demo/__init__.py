"""The demo: an embedded AWS, made-up traffic, and a check that every record was counted.

Nothing here runs in an installation; the rest of the package must not import
it, apart from the command line. It knows the product only from outside: the
command that starts it, and its metrics page. So its figures are a second
opinion. Its libraries come with the extra `demo`.
"""
