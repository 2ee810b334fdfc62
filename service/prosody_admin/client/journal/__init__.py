"""The record, out of the journal."""
