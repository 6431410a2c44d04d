"""The domain: what a call is, how it is placed, and what is kept of it."""
