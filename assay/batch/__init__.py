"""Scans of many files: sources, engines, the rows that are kept of them, and the forms in which they leave."""
