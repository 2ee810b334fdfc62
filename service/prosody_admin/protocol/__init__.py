"""The admin stream, sans-IO: bytes in, events out; stanzas in, bytes out.

`stanza` is what is said, `scanner` cuts bytes where markup ends, `parser` turns the cuts into
events within `Limits`, `states` is the one table of what may follow what, `stream` puts them
together for either end. Nothing here waits, reads a clock, opens a socket or writes a log.
"""
