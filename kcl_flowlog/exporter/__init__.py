"""The metrics of an instance: their contract, and the page that shows them."""
