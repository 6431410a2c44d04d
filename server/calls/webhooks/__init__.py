"""Events of calls, signed and sent to the URLs that asked for them."""
