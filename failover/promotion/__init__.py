"""Moves the writer: a state machine whose progress outlives whoever runs it. Decision 17."""
