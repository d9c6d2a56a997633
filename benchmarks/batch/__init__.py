"""What a scan of many files costs beside the looking: workers, the ledger, a second run, memory."""
