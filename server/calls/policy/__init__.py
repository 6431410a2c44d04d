"""What may be called, when, about what and how often: rules alone, without I/O."""
