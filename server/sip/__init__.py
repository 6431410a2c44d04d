"""Sans-IO SIP user agent (RFC 3261): bytes and time in, datagrams and events out."""
