"""How well banks find copies, and how fast they search; see results.md."""
