"""Engines behind the pipeline's ports, and the weights this project trained itself."""
