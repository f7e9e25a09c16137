"""Lamellar."""
