"""Commands after which something is gone: a person at a terminal is asked first.

Imports nothing, for quick.py.
"""

DESTRUCTIVE = {
    ("c2s", "closeall"),
    ("host", "deactivate"),
    ("hosts", "deactivate"),
    ("module", "unload"),
    ("port", "close"),
    ("pubsub", "delete_all_items"),
    ("pubsub", "delete_item"),
    ("pubsub", "delete_node"),
    ("s2s", "closeall"),
    ("server", "shutdown"),
    ("user", "delete"),
    ("user", "disable"),
}
"""By section and name: what cannot be taken back, or locks many out at once."""
