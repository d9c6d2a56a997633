"""Jobs that survive: the queue in the ledger, the workers that take from it, and what is cleared away."""
