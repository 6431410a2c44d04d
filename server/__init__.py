"""The control plane: HTTP in, calls out; signalling; the life of a call."""
