"""Other hosts and containers."""
