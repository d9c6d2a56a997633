"""Speed, recall, memory and sturdiness of the scan engine; see `python -m benchmarks.scan --help`."""
