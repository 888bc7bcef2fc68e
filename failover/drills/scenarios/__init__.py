"""What can go wrong: each module here is one drill. See failover.drills."""
