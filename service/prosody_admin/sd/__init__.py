"""The only room that talks to systemd: its sockets, its notifications, its journal."""
