"""Promotes unattended: each region says what it sees;
one leader acts on a majority. Decision 18."""
