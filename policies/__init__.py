"""The policies that ship with Assay: YAML, read through `safety.Policy.load`. No code lives here."""
