"""Asks other instances who sent what, beside each other, and merges what they know."""
