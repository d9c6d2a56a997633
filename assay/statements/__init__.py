"""Statements of reasons under Article 17 of the Digital Services Act, from a recorded decision."""
