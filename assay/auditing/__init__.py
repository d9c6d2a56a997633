"""The audit chain: what was decided, in an append-only log of salted hashes that outlives the personal data.

`tables` and `noting` belong to the ledger and import nothing of it; `sealing`, `verifying`, `proving` stand above it.
"""
