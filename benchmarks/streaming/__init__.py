"""The parts of `benchmarks/stream.py`."""
