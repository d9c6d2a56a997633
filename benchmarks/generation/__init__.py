"""Speed, memory and seams of the embedded generator."""
