"""Owns events, publishing them, and the WebSocket that carries them.

Imports storage and regions. Never knows what an event means to whoever publishes it.
"""
