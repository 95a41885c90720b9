"""Provenance as it comes, for pages and the command line."""
