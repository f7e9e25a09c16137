"""What AWS wants of whoever asks it: a region, credentials, and a signature on every request."""
