"""What answers events: the modules, and how they come and go."""
