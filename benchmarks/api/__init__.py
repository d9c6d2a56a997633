"""The API under load: batching against none, the cost of the API, and what a full queue answers."""
