"""The gate in front of Prosody's admin socket."""

__version__ = "0.1.0"
