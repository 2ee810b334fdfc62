"""The asyncio shells over the pure parts: listener, connections, sessions, dispatch."""
