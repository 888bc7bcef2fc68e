"""Dates as the shop writes them, where that is not what Django does by itself."""
