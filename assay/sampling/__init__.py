"""People's judgement of a run: a stratified sample to label, and what labels say of precision, recall, agreement."""
