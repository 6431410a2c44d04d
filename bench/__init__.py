"""Measures on the wire, the simulated callee, and the demo."""
