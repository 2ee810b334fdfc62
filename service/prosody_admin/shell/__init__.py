"""What a shell line means: pure, no I/O."""
