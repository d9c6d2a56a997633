"""Deciding again about a stored run: by maxima first, against every track unpacked."""
