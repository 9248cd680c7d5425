"""A deterministic simulation: the product's real classes over models of the KCL 3.1.3, DynamoDB and Prometheus.

One process, one thread, a virtual clock. `simulation.py` has the steps that a schedule is made of, `draws.py` draws
them, `invariant.py` says what must hold in the end, `reverts.py` takes mends of the product back. `instance.py` is the
only module that builds parts of the product.
"""
