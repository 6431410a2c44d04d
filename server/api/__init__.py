"""HTTP: wire JSON to `CallRequest` and back, one module for each dialect."""
