"""A deterministic simulation: the product's real classes over models of the KCL 3.1.3, DynamoDB and Prometheus.

One process, one thread, a virtual clock. `world.py` has all parts and the steps that a schedule is made of,
`invariant.py` says what must hold in the end, `instance.py` is the only module that builds parts of the product.
"""
