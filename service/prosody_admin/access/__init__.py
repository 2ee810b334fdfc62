"""Who may do what: pure, no I/O."""
