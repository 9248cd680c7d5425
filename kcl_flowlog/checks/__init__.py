"""The commands `check` and `policy`: what an instance needs from AWS and from its machine, before it runs.

Reuses the code with which `run` checks its own start. Changes nothing in AWS and nothing in the state directory.
"""
