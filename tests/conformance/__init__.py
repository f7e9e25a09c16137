"""The stream contract, proven for every executor."""
