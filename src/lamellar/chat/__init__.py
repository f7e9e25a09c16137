"""The vocabulary: requests, options, responses and stream events, in the words of the field."""
