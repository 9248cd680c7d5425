"""Helpers that tests share: builders of inputs, fakes, the real product as a process."""
