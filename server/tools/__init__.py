"""What the agent can do during a call besides speaking, and only as far as the operator allows."""
