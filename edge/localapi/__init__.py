"""The local API: messages, server and client of the Unix socket."""
