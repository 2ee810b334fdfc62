"""Commands after which something is gone: a person at a terminal is asked first.

Imports nothing, for quick.py.
"""

DESTRUCTIVE = {
    ("c2s", "closeall"),
    ("host", "deactivate"),
    ("module", "unload"),
    ("port", "close"),
    ("pubsub", "delete_item"),
    ("pubsub", "delete_node"),
    ("pubsub", "purge"),
    ("s2s", "closeall"),
    ("server", "shutdown"),
    ("user", "delete"),
    ("user", "disable"),
}
"""By section and name: what cannot be taken back, or locks many out at once."""
