"""Owns the clients of external state: S3, DynamoDB, Redis; buckets, tables, cache patterns.

Imports regions. Never knows what a product, an order or a session is.
"""
