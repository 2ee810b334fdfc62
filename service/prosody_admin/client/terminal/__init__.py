"""What a terminal shows, and what is asked at it."""
