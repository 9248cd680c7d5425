"""The metrics of an instance: the table that defines them, and the page that shows them."""
